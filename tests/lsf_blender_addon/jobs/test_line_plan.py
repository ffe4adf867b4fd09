"""What is planned for a result, on a head of ten vertices. Nothing in here needs Blender."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lsf_blender_addon.animation import line_curves
from lsf_blender_addon.animation.key_plan import MeshState
from lsf_blender_addon.animation.line_curves import Sliders
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import line_plan
from lsf_blender_addon.jobs.line_plan import LineState, Result
from lsf_blender_addon.jobs.own_keys import with_usable_keys
from lsf_blender_addon.prediction.eyes import Eyes
from lsf_blender_addon.prediction.tweaks import Tweaks
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row
from lsf_blender_addon.scene.snapshots import AUTOMATIC, Character, Line, RestMesh, Rig

CHANNELS = ["jawOpen", "mouthClose", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookOutLeft"]
FRAMES, HEAD, TEETH = 40, 10, 4
LINE = Line("line", "Scene", "line.wav", None, 24.0, 25, FRAMES, 0.0, FRAMES / 24, 0.0, "a4e1", FRAMES)


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


def curves(made, sliders=None) -> dict[str, np.ndarray]:
    """Values (F,) of each shape key in the line, as they will be written."""
    line = line_curves.make(made.prediction, sliders or Sliders(), made.line.first_frame)
    return dict(zip(line.names, line.motion.T, strict=True))


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
    assert made.objects == ("Head",) and made.line == LINE and not made.parts
    assert made.head.names == CHANNELS[:-1], "which move"
    assert set(made.head.shapes) == set(CHANNELS), "and which a slider may move"
    base = rest("Head", HEAD).vertices
    np.testing.assert_allclose(made.head.shapes["jawOpen"], base + answer.arrays["basis"][0], atol=1e-6)
    assert made.head.ranges["jawOpen"] == pytest.approx((0.1, 0.9), abs=0.05)
    found = curves(made)
    for k, name in enumerate(CHANNELS):
        np.testing.assert_allclose(found[name], answer.arrays["motion"][:FRAMES, k], atol=1e-4)
    assert (
        made.prediction.fps == 24
        and made.prediction.channels == tuple(CHANNELS)
        and made.prediction.drive is None
        and made.prediction.seed == 0
    )
    assert made.head_motion is None and made.face is None
    assert made.message.text("9 keys", ", on an NLA track") == "line: frames 25 to 64, on an NLA track; 9 keys; 1.2 s"


@pytest.mark.parametrize(
    ("language", "start", "end"),
    [("german", "line: Frames 25 bis 64", "; 1.2 s"), ("japanese", "line：フレーム 25–64", "、1.2 秒")],
)
def test_the_message_is_translated(language, start, end):
    """In every part, with the values in their places."""
    messages = pytest.importorskip(f"lsf_blender_addon.ui.translations.{language}").MESSAGES
    message = plan(iface=lambda text: messages[text]).message
    assert (message.start, message.end) == (start, end)


def test_sliders_change_the_curves_and_not_the_prediction():
    sliders = Sliders(Tweaks(jaw=0.5, muted=frozenset({"browInnerUp"})), density=1.0, offset=3)
    made, plain = plan(before=state(sliders=sliders)), plan()
    np.testing.assert_array_equal(made.prediction.motion, plain.prediction.motion)
    changed = line_curves.make(made.prediction, sliders, 25)
    np.testing.assert_allclose(changed.motion[:, 0], 0.5 * curves(plain)["jawOpen"], atol=1e-6)
    assert not changed.motion[:, 2].any() and changed.first_frame == 28 and changed.bound is None


def test_a_slider_makes_room_for_what_it_moves():
    """The range of a shape key's slider holds the curves with the line's sliders."""
    made = plan(before=state(sliders=Sliders(Tweaks(brows=3.0))))
    assert made.head.ranges["browInnerUp"][1] == pytest.approx(1, abs=0.05)


def test_keys_of_the_artist_keep_their_shape():
    before = state()
    before = replace(before, head=replace(before.head, keys=frozenset({"Basis", "jawOpen"})))
    made = plan(before=before)
    assert "jawOpen" in made.head.names and "jawOpen" not in made.head.shapes and made.head.kept == ["jawOpen"]
    assert made.message.end == "; 1 of your own keys animated; 1.2 s"


def test_keys_that_drivers_move_get_no_curve():
    before = state()
    head = replace(before.head, keys=frozenset(CHANNELS), driven=frozenset({"jawOpen"}))
    made = plan(before=replace(before, head=head))
    assert "jawOpen" not in made.head.animated and "left out, as drivers move them: jawOpen; 1.2 s" in made.message.end
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
    gaze = np.tile(np.float32([14, 0]), (2, FRAMES + 1, 1))
    gaze[1] = 0, 11
    marks = np.random.default_rng(0).normal(0, 1, (68, 3)).astype(np.float32)
    head = np.full((FRAMES + 1, 3), 0.1, np.float32)
    blinks = np.stack([np.full(FRAMES + 1, 0.5, np.float32), np.zeros(FRAMES + 1, np.float32)])
    return {"blinks": blinks, "gaze": gaze, "head": head, "landmarks68": marks}


def test_blinks_and_gaze_are_mixed_into_the_channels_and_kept_apart():
    who = character()
    answer = result(who, **layers())
    made, plain = plan(who, answer, state(has_head_target=True)), plan(who, result(who))
    found, speech = curves(made), curves(plain)
    lids = speech["eyeBlinkLeft"]
    np.testing.assert_allclose(found["eyeBlinkLeft"], lids + 0.5 * (1 - lids), atol=1e-3)
    np.testing.assert_allclose(found["eyeLookOutLeft"], 14 / 28, atol=1e-3)
    np.testing.assert_array_equal(found["jawOpen"], speech["jawOpen"])
    np.testing.assert_array_equal(made.prediction.motion, plain.prediction.motion)
    assert made.prediction.blinks.shape == (2, FRAMES) and made.prediction.gaze.shape == (2, FRAMES, 2)
    assert set(made.head.shapes) == set(CHANNELS), "no key but channels"
    still = curves(made, Sliders(eyes=Eyes(0, 0)))
    for name in CHANNELS:
        np.testing.assert_array_equal(still[name], speech[name])
    np.testing.assert_allclose(curves(made, Sliders(eyes=Eyes(variant=1)))["eyeBlinkLeft"], lids, atol=1e-6)


def test_a_muted_channel_is_still_whatever_moves_it():
    who = character()
    muted = Sliders(Tweaks(muted=frozenset({"eyeBlinkLeft", "eyeLookOutLeft", "jawOpen"})))
    found = curves(plan(who, result(who, **layers()), state(sliders=muted)), muted)
    assert not any(found[name].any() for name in muted.tweaks.muted) and found["eyeBlinkRight"].all()


def test_the_head_motion_needs_something_that_nods():
    who = character()
    made = plan(who, result(who, **layers()), state(has_head_target=True))
    assert made.head_motion.angles.shape == (FRAMES, 3)
    assert plan(who, result(who, **layers())).head_motion is None, "nothing was chosen to nod"


def test_the_landmarks_of_the_head_motion_turn_with_the_head():
    """The artist has turned it while the result was made."""
    who = character()
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    answer = result(who, **layers())
    made = plan(who, answer, state(has_head_target=True, axes=turned))
    np.testing.assert_allclose(made.head_motion.landmarks68, answer.arrays["landmarks68"] @ turned.T, atol=1e-6)


def test_a_take_keeps_the_blinks_and_the_gaze_of_the_line():
    who = character()
    first = plan(who, result(who, **layers()))
    before = state(earlier=first.prediction, has_head_target=True)
    for answer in (result(who, 1), result(who, 1, **{name: values[..., ::-1] for name, values in layers().items()})):
        made = plan(who, answer, before, with_layers=False)
        np.testing.assert_array_equal(made.prediction.blinks, first.prediction.blinks)
        np.testing.assert_array_equal(made.prediction.gaze, first.prediction.gaze)
        assert made.head_motion is None and np.abs(made.prediction.motion - first.prediction.motion).max() > 0.1
    made = plan(who, result(who, 1), before)
    assert not len(made.prediction.blinks), "blinks were turned off, and the line was generated again"


SOLVED_MOTION = np.full((FRAMES + 1, 1), 0.3, np.float32)


def own_keys() -> Rig:
    mapping = Mapping("Own", (Row("Mund", "jawOpen", 0.5), Row("A", SOLVED), Row("Lid", "eyeBlinkLeft")))
    shapes = np.random.default_rng(1).normal(0, 0.1, (1, HEAD, 3)).astype(np.float32)
    jaw, blink = (CHANNELS.index(channel) for channel in ("jawOpen", "eyeBlinkLeft"))
    direct = result(character()).arrays["basis"][[jaw, blink]] * np.float32([2, 1])[:, None, None]
    return Rig(mapping, dict.fromkeys(("Mund", "A", "Lid"), (0.0, 1.0)), shapes, False, HEAD, direct)


def own_state(**values) -> LineState:
    before = state(**values)
    return replace(before, head=replace(before.head, keys=frozenset({"Basis", "Mund", "A", "Lid"})))


def test_own_keys_are_driven_and_the_drive_goes_with_the_prediction():
    who = character(own_keys())
    answer = result(who, rig_motion=np.full((FRAMES + 1, 1), 0.3, np.float32))
    made = plan(who, answer, own_state())
    columns = curves(made)
    assert sorted(columns) == sorted(made.head.names) == ["A", "Lid", "Mund"]
    assert not made.head.shapes and made.prediction.drive is not None
    np.testing.assert_allclose(columns["A"], 0.3, atol=1e-3)
    np.testing.assert_allclose(columns["Mund"], 0.5 * answer.arrays["motion"][:FRAMES, 0], atol=1e-3)
    assert made.message.end == "; on your Own keys; 1.2 s"


def test_an_own_key_that_moves_something_else_gets_a_new_key_in_its_place():
    rig = own_keys()
    who = character(replace(rig, direct_shapes=rig.direct_shapes[::-1]))
    message = plan(who, result(who, rig_motion=SOLVED_MOTION), own_state()).message
    assert message.end == "; on your Own keys; these move something else than their channels: Mund, Lid; 1.2 s"
    names = ("Mund", "A", "Lid", "jawOpen", "mouthClose")
    rows = (*rig.mapping.rows, Row("jawOpen", "jawOpen"), Row("mouthClose", "mouthClose"))
    basis = result(character()).arrays["basis"]
    direct = np.concatenate([rig.direct_shapes, -basis[[CHANNELS.index("jawOpen")]], 0 * basis[:1]])
    rig = replace(rig, mapping=replace(rig.mapping, rows=rows), direct_shapes=direct)
    who = character(replace(rig, limits=dict.fromkeys(names, (0.0, 1.0))))
    before = own_state()
    before = replace(before, head=replace(before.head, keys=frozenset({"Basis", *names})))
    answer = result(who, rig_motion=SOLVED_MOTION)
    made = plan(who, answer, before)
    assert made.message.end == (
        "; on your Own keys; left out, as they have no shape: mouthClose"
        "; left out, as they move something else: jawOpen; in their place: LSF mouthClose; 1.2 s"
    )
    base = rest("Head", HEAD).vertices
    np.testing.assert_allclose(
        made.head.shapes["LSF mouthClose"], base + basis[CHANNELS.index("mouthClose")], atol=1e-6
    )
    found = curves(made)
    np.testing.assert_allclose(
        found["LSF mouthClose"], answer.arrays["motion"][:FRAMES, CHANNELS.index("mouthClose")], atol=1e-3
    )
    assert not {"jawOpen", "mouthClose"} & set(found), "the artist's keys are not touched"


def without_face(who: Character, code="no_face", **arrays) -> Result:
    answer = result(who, **arrays)
    header = answer.header | {"no_face": {"code": code, "message": "There is no face: place four landmarks."}}
    return replace(
        answer, header=header, arrays={name: array for name, array in answer.arrays.items() if name != "basis"}
    )


def test_without_a_face_the_own_keys_move_and_no_key_is_added():
    who = character(replace(own_keys(), add_missing=True), parts=(rest("Teeth", TEETH),))
    shapes = np.zeros((1, HEAD + TEETH, 3), np.float32)
    who = replace(who, rig=replace(who.rig, shapes=shapes, direct_shapes=np.ones((2, HEAD + TEETH, 3), np.float32)))
    solved = np.full((FRAMES + 1, 1), 0.3, np.float32)
    answer = without_face(who, rig_motion=solved, head=np.zeros((FRAMES + 1, 3), np.float32))
    assert who.header()["face_optional"] and who.header()["rig_like"][0]["jawOpen"] > 0
    before = replace(own_state(), parts=state((rest("Teeth", TEETH),)).parts, has_head_target=True)
    made = plan(who, answer, before)
    columns = curves(made)
    assert sorted(columns) == ["A", "Lid", "Mund"] and not made.head.shapes and not made.parts
    np.testing.assert_allclose(columns["Mund"], 0.5 * answer.arrays["motion"][:FRAMES, 0], atol=1e-3)
    np.testing.assert_allclose(columns["A"], 0.3, atol=1e-3)
    assert made.face is None and made.expected is None and made.head_motion is None
    assert "; the face was not found: only your own keys move; place four points" in made.message.end


def test_without_a_face_the_reason_is_said():
    who = character(own_keys())
    made = plan(who, without_face(who, "too_coarse", rig_motion=np.zeros((FRAMES + 1, 1), np.float32)), own_state())
    assert "; only your own keys move: There is no face: place four landmarks;" in made.message.end


def test_without_a_face_and_without_own_keys_that_move_the_line_is_refused():
    rig = Rig(Mapping("Own", (Row("A", SOLVED),)), {"A": (0.0, 1.0)}, np.zeros((1, HEAD, 3), np.float32), True, HEAD,
              np.zeros((0, HEAD, 3), np.float32))  # fmt: skip
    who = character(rig)
    with pytest.raises(UserError, match="place four landmarks"):
        plan(who, without_face(who, rig_motion=np.zeros((FRAMES + 1, 1), np.float32)), own_state())


def test_own_keys_get_the_blinks_through_their_drive():
    who = character(own_keys())
    solved = np.full((FRAMES + 1, 1), 0.3, np.float32)
    found = curves(plan(who, result(who, rig_motion=solved, **layers()), own_state()))
    speech = curves(plan(who, result(who, rig_motion=solved), own_state()))
    np.testing.assert_allclose(found["Lid"], speech["Lid"] + 0.5 * (1 - speech["Lid"]), atol=1e-3)
    np.testing.assert_allclose(found["Mund"], speech["Mund"], atol=1e-6)


def test_a_span_keeps_the_earlier_line_outside():
    who = character(own_keys())
    first = plan(who, result(who, 1, rig_motion=np.full((FRAMES + 1, 1), 0.2, np.float32)), own_state())
    before = own_state(earlier=first.prediction, has_head_target=True)
    answer = result(who, 2, (35, 55), rig_motion=np.full((FRAMES + 1, 1), 0.8, np.float32), **layers())
    answer.arrays["basis"] = result(who, 1).arrays["basis"]
    made = plan(who, answer, before)
    muted = Sliders(eyes=Eyes(0, 0))
    solved = curves(made, muted)["A"]
    np.testing.assert_allclose(solved[:10], 0.2, atol=1e-3)
    np.testing.assert_allclose(solved[15:25], 0.8, atol=1e-3)
    np.testing.assert_allclose(made.prediction.motion[:10], first.prediction.motion[:10], atol=1e-4)
    assert not len(made.prediction.blinks) and made.head_motion is None, "those of the earlier one, which had none"
    assert made.message.start == "line: frames 35 to 55 anew" and made.message.end.startswith("; on your Own keys")
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


def test_keys_that_are_older_than_the_cut_of_the_lips():
    """Both borders of the cut lie at one place, and such a key moves them alike."""
    who = character()
    upper, lower = 4, 5
    who.vertices[lower] = who.vertices[upper] + np.float32([0, 0, 1e-5])
    basis = 0.1 * result(who).arrays["basis"]
    basis[0, upper], basis[0, lower] = (0, 0, 0), (0, 0, -0.5)
    marks = np.zeros(68, np.int32)
    marks[62], marks[66], marks[36], marks[45] = 6, 7, 0, 1
    answer = result(who, landmark_vertices=marks, landmarks68=who.vertices[marks])
    answer.arrays["basis"] = basis
    names = tuple(CHANNELS)
    direct = basis.copy()
    mapping = Mapping("ARKit", tuple(Row(name, name) for name in names))
    rig = Rig(mapping, dict.fromkeys(names, (0.0, 1.0)), np.zeros((0, HEAD, 3), np.float32), False, HEAD, direct)
    near = replace(who, members=(replace(who.members[0], vertices=who.vertices),), rig=rig)
    assert not with_usable_keys(near, CHANNELS, answer.arrays).rig.left_out
    direct[0, lower] = direct[0, upper]
    judged = with_usable_keys(near, CHANNELS, answer.arrays).rig
    assert [row.key for row, _fault in judged.left_out] == ["jawOpen"] and len(judged.direct_shapes) == 5


def told(**fields) -> tuple[str, str]:
    """The message of a line whose result has further fields, and the model that is kept with it."""
    who = character()
    answer = result(who)
    made = plan(who, replace(answer, header=answer.header | fields))
    return made.message.text("12 keys", ""), made.prediction.model


def test_a_flame_model_tells_its_error_and_what_it_cannot_do():
    digest = "0123456789abcdef" * 4
    text, model = told(
        model={"name": "run 3", "digest": digest},
        motion_error={"lips_mean": 0.404, "lips_greatest": 3.54},
        ignored=["emotion"],
    )
    assert "; the lips are 0.40 mm from FLAME's motion, at most 3.54" in text and model == "run 3 0123456789ab"
    assert "; the chosen emotion and its strength have no effect" in text
    text, model = told()
    assert "FLAME" not in text and "no effect" not in text and model == ""


def test_several_lines_of_a_flame_model_are_told_together():
    lines = [{"motion_error": {"lips_mean": 0.2 * k, "lips_greatest": 1.0 * k}} for k in (1, 3, 2)]
    text = line_plan.of_model([*lines, {}, {"ignored": ["emotion"]}], str)
    assert text.startswith("; the lips are 0.40 mm from FLAME's motion, at most 3.00; the chosen emotion")
    assert line_plan.of_model([{}, {"ignored": 3}, {"ignored": ["x"]}], str) == ""


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"lips_mean": "x", "lips_greatest": 1}, {"lips_mean": 1}, {"name": 7}]
)
def test_fields_of_another_server_do_no_harm(value):
    text, model = told(model=value, motion_error=value)
    assert "FLAME" not in text and len(model) < 80
