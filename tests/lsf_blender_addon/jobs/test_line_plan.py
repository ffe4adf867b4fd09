"""What is planned for a result, on a head of ten vertices. Nothing in here needs Blender."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lsf_blender_addon.animation.curve_plan import Sliders
from lsf_blender_addon.animation.key_plan import MeshState
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import line_plan
from lsf_blender_addon.jobs.line_plan import LineState, Result
from lsf_blender_addon.prediction.layer_curves import BLINK
from lsf_blender_addon.prediction.tweaks import Tweaks
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row
from lsf_blender_addon.scene.snapshots import AUTOMATIC, Character, Line, RestMesh, Rig

CHANNELS = ["jawOpen", "mouthClose", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookOutLeft"]
FRAMES, HEAD, TEETH = 40, 10, 4
LINE = Line("line", "Scene", "line.wav", None, 24.0, 25, FRAMES, 0.0, FRAMES / 24, 0.0)


def rest(name: str, count: int) -> RestMesh:
    vertices = np.random.default_rng(count).normal(0, 1, (count, 3)).astype(np.float32)
    triangles = np.int32([(i, i + 1, i + 2) for i in range(count - 2)])
    return RestMesh(name, np.zeros(3), vertices, triangles, np.eye(3))


def character(rig: Rig | None = None, parts=()) -> Character:
    members = (rest("Head", HEAD), *parts)
    vertices = np.concatenate([member.vertices for member in members])
    codes = np.full(len(vertices), AUTOMATIC, np.int32)
    return Character(members, vertices, members[0].triangles, codes, None, rig)


def state(parts=(), **values) -> LineState:
    head, *others = [MeshState(member.object, member.vertices) for member in (rest("Head", HEAD), *parts)]
    return LineState(LINE, head, tuple(others), **values)


def result(who: Character, seed=0, span=None, **arrays) -> Result:
    """All channels move but the last one; after the line's end, there is a frame too many."""
    rng = np.random.default_rng(seed)
    motion = 0.5 + 0.4 * np.sin(np.arange(FRAMES + 1)[:, None] / 5 + rng.random(6) * 6).astype(np.float32)
    motion[:, -1] = 0
    basis = rng.normal(0, 0.1, (6, len(who.vertices), 3)).astype(np.float32)
    return Result({"channels": CHANNELS}, {"motion": motion, "basis": basis, **arrays}, 0.2, seed, 1.25, span)


def plan(who=None, answer=None, before=None, **options):
    who = who or character()
    return line_plan.plan(who, answer or result(who), before or state(), **options)


def test_it_needs_no_blender():
    """Nor does anything that it imports."""
    code = """
import sys
sys.modules["bpy"] = sys.modules["mathutils"] = None
from tests.lsf_blender_addon.jobs import test_line_plan
test_line_plan.test_a_first_line()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_first_line():
    answer = result(character())
    made = plan(answer=answer)
    assert made.objects == ("Head",) and made.line == LINE and not made.parts and not made.layers
    assert made.head.names == made.speech.names == CHANNELS[:-1] and set(made.head.shapes) == set(CHANNELS[:-1])
    base = rest("Head", HEAD).vertices
    np.testing.assert_allclose(made.head.shapes["jawOpen"], base + answer.arrays["basis"][0], atol=1e-6)
    assert made.head.ranges["jawOpen"] == pytest.approx((0.1, 0.9), abs=0.05)
    np.testing.assert_allclose(made.speech.motion, answer.arrays["motion"][:FRAMES, :-1], atol=1e-4)
    assert (made.speech.first_frame, made.speech.offset, made.speech.keying.fps) == (25, 0, 24)
    assert made.prediction.channels == tuple(CHANNELS) and made.prediction.drive is None and made.prediction.seed == 0
    assert made.head_motion is None and made.face is None
    assert made.message.text("9 keys", ", on an NLA track") == "40 frames, 1.2 s; 9 keys, on an NLA track"


def test_sliders_change_the_curves_and_not_the_prediction():
    sliders = Sliders(Tweaks(jaw=0.5, muted=frozenset({"browInnerUp"})), 1.0, 3)
    made, plain = plan(before=state(sliders=sliders)), plan()
    np.testing.assert_allclose(made.speech.motion[:, 0], 0.5 * plain.speech.motion[:, 0], atol=1e-6)
    assert "browInnerUp" not in made.speech.names and made.speech.offset == 3 and made.speech.keying.bound is None
    np.testing.assert_array_equal(made.prediction.motion, plain.prediction.motion)


def test_keys_of_the_artist_keep_their_shape():
    before = state()
    before = replace(before, head=replace(before.head, keys=frozenset({"Basis", "jawOpen"})))
    made = plan(before=before)
    assert "jawOpen" in made.speech.names and "jawOpen" not in made.head.shapes and made.head.kept == ["jawOpen"]
    assert made.message.end == "; 1 of your own keys animated"


def test_keys_that_drivers_move_get_no_curve():
    before = state()
    head = replace(before.head, keys=frozenset(CHANNELS), driven=frozenset({"jawOpen"}))
    made = plan(before=replace(before, head=head))
    assert "jawOpen" not in made.speech.names and made.message.end.endswith("left out, as drivers move them: jawOpen")
    with pytest.raises(UserError, match=r"Drivers move the shape keys .*and 2 more.*Add New Keys"):
        plan(before=replace(before, head=replace(head, driven=frozenset(CHANNELS))))


def test_a_line_without_motion_is_refused():
    who = character()
    answer = result(who)
    answer.arrays["motion"][:] = 0.005
    with pytest.raises(UserError, match="does not move in this line"):
        plan(who, answer)


def test_another_mesh_than_was_sent_is_refused():
    before = state()
    with pytest.raises(UserError, match='mesh of "Head" got other vertices'):
        plan(before=replace(before, head=replace(before.head, base=before.head.base[:-1])))


def test_parts_follow_what_moves_them():
    teeth = rest("Teeth", TEETH)
    who = character(parts=(teeth,))
    answer = result(who)
    answer.arrays["basis"][1:, HEAD:] = 0
    made = plan(who, answer, state(parts=(teeth,)))
    (part,) = made.parts
    assert part.object == "Teeth" and list(part.keys.shapes) == ["jawOpen"] and made.objects == ("Head", "Teeth")
    assert made.message.parts == "; with Teeth"


def layers() -> dict[str, np.ndarray]:
    gaze = np.tile(np.float32([14, 0]), (FRAMES + 1, 1))
    marks = np.random.default_rng(0).normal(0, 1, (68, 3)).astype(np.float32)
    head = np.full((FRAMES + 1, 3), 0.1, np.float32)
    return {"blinks": np.full(FRAMES + 1, 0.5, np.float32), "gaze": gaze, "head": head, "landmarks68": marks}


def test_layers_have_curves_of_their_own():
    who = character()
    made = plan(who, result(who, **layers()), state(has_head_target=True))
    blinks, gaze = made.layers
    assert (blinks.layer, blinks.names) == ("blinks", [BLINK]) and blinks.motion.shape == (FRAMES, 1)
    assert (gaze.layer, gaze.names) == ("gaze", ["eyeLookOutLeft"]) and gaze.motion.max() == pytest.approx(0.5)
    assert BLINK not in made.speech.names and BLINK in made.head.shapes and made.head_motion.angles.shape == (FRAMES, 3)
    assert plan(who, result(who, **layers())).head_motion is None, "nothing was chosen to nod"
    alone = plan(who, result(who, **layers()), state(has_head_target=True), with_layers=False)
    assert not alone.layers and alone.head_motion is None


def test_speech_leaves_the_keys_of_layers_alone():
    made = plan(before=state(layer_keys=frozenset({"jawOpen"})))
    assert "jawOpen" not in made.speech.names and "jawOpen" in made.head.names


def own_keys() -> Rig:
    mapping = Mapping("Own", (Row("Mund", "jawOpen", 0.5), Row("A", SOLVED), Row("Lid", "eyeBlinkLeft")))
    shapes = np.random.default_rng(1).normal(0, 0.1, (1, HEAD, 3)).astype(np.float32)
    return Rig(mapping, dict.fromkeys(("Mund", "A", "Lid"), (0.0, 1.0)), shapes, False, HEAD)


def own_state(**values) -> LineState:
    before = state(**values)
    return replace(before, head=replace(before.head, keys=frozenset({"Basis", "Mund", "A", "Lid"})))


def test_own_keys_are_driven_and_the_drive_goes_with_the_prediction():
    who = character(own_keys())
    answer = result(who, rig_motion=np.full((FRAMES + 1, 1), 0.3, np.float32))
    made = plan(who, answer, own_state())
    assert (
        sorted(made.speech.names) == ["A", "Lid", "Mund"] and not made.head.shapes and made.prediction.drive is not None
    )
    columns = dict(zip(made.speech.names, made.speech.motion.T, strict=True))
    np.testing.assert_allclose(columns["A"], 0.3, atol=1e-3)
    np.testing.assert_allclose(columns["Mund"], 0.5 * answer.arrays["motion"][:FRAMES, 0], atol=1e-3)
    assert made.message.end == "; on your Own keys"


def test_a_span_keeps_the_earlier_line_outside():
    who = character(own_keys())
    first = plan(who, result(who, 1, rig_motion=np.full((FRAMES + 1, 1), 0.2, np.float32)), own_state())
    before = own_state(earlier=first.prediction, has_head_target=True)
    answer = result(who, 2, (35, 55), rig_motion=np.full((FRAMES + 1, 1), 0.8, np.float32), **layers())
    answer.arrays["basis"] = result(who, 1).arrays["basis"]
    del answer.arrays["blinks"], answer.arrays["gaze"]  # they would go with the speech
    made = plan(who, answer, before)
    solved = made.speech.motion[:, made.speech.names.index("A")]
    np.testing.assert_allclose(solved[:10], 0.2, atol=1e-3)
    np.testing.assert_allclose(solved[15:25], 0.8, atol=1e-3)
    np.testing.assert_allclose(made.prediction.motion[:10], first.prediction.motion[:10], atol=1e-4)
    assert not made.layers and made.head_motion is None and made.message.start == "frames 35 to 55 anew, 1.2 s"
    with pytest.raises(UserError, match="was trimmed since"):
        plan(who, answer, own_state())


def test_a_span_that_is_not_heard_or_not_generated():
    with pytest.raises(UserError, match="not heard in frames 1 to 20"):
        line_plan.check_span(state(), (1, 20))
    with pytest.raises(UserError, match='not generated for "Head" yet'):
        line_plan.check_span(state(), (30, 40))
    line_plan.check_span(state(earlier=plan().prediction), (30, 40))


def test_what_was_found_of_the_face():
    who = character()
    arrays = layers() | {
        "landmark_vertices": np.arange(68, dtype=np.int32) % HEAD,
        "parts": np.arange(HEAD, dtype=np.int32),
    }
    answer = result(who, **arrays)
    answer.header["report"] = {"check_landmarks": [3, 99]}
    face = plan(who, answer).face
    assert (
        len(face.landmarks) == 68 and face.doubtful == {3} and [list(codes) for codes in face.parts] == [[*range(HEAD)]]
    )
