"""Takes: generated together, kept in the file, stepped through, one kept."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import lines
from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.prediction import store, takes
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use
from tests.lsf_blender_addon.prediction.test_store import Group, predicted, record
from tests.lsf_blender_addon.two_lines import FIRST, SECOND, SpeechClient, TwoLines, same_values


@pytest.fixture
def scene(addon, add_strip, clicks):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    return bpy.context.scene


@pytest.fixture
def client(scene, addon, monkeypatch):
    return use(addon, monkeypatch, Client())


def line():
    """The line of the strip: its head's Action, and its record."""
    return chosen_line(bpy.context)


def count() -> int:
    return takes.count(line().action, line().uid)


def playing() -> int | None:
    return takes.playing(line().action, line().uid)


def seed(index: int) -> str:
    return takes.seed(line().action, line().uid, index)


def kept() -> store.Prediction:
    return store.load(line().action, line().uid)


def played() -> np.ndarray:
    """Return the jaw's curve (96,)."""
    (curve,) = [c for c in compat.fcurves_of(line().action) if '"jawOpen"' in c.data_path]
    return np.array([curve.evaluate(25 + i) for i in range(96)])


def test_takes_have_seeds_one_after_the_other_and_the_first_plays(scene, client):
    scene.lsf.take, scene.lsf.takes.count, scene.lsf.variation = 7, 3, 0.4
    assert bpy.ops.lsf.generate_takes() == {"FINISHED"}
    requests = [job.request["settings"] for job in client.jobs]
    assert [request["seed"] for request in requests] == [7, 8, 9]
    assert [request["temperature"] for request in requests] == pytest.approx([0.4] * 3)
    assert [request["layers"] for request in requests] == [["blinks", "gaze"]] * 3
    assert count() == 3 and playing() == 0 and seed(2) == "9"
    assert kept().seed == 7


def test_stepping_replaces_the_curves_and_wraps_around(scene, client):
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    seen = [played()]
    for expected in (1, 2, 0):
        assert bpy.ops.lsf.step_take(step=1) == {"FINISHED"}
        assert playing() == expected
        seen.append(played())
    np.testing.assert_allclose(seen[3], seen[0], atol=1e-6)
    assert np.abs(seen[0] - seen[1]).max() > 0.1 and np.abs(seen[1] - seen[2]).max() > 0.1
    bpy.ops.lsf.step_take(step=-1)
    assert playing() == 2
    jaw = kept().motion[:, kept().channels.index("jawOpen")]
    np.testing.assert_allclose(played(), jaw, atol=0.05)


def test_keep_one_and_delete_the_rest(scene, client):
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    before = played()
    assert bpy.ops.lsf.keep_take() == {"FINISHED"}
    assert count() == 0 and kept().seed == 1
    np.testing.assert_array_equal(played(), before)
    assert not bpy.ops.lsf.step_take.poll() and not bpy.ops.lsf.keep_take.poll()


def test_what_was_generated_before_is_a_take_too_and_more_takes_join(scene, client):
    scene.lsf.take = 20
    bpy.ops.lsf.generate()
    single = played()
    scene.lsf.takes.count, scene.lsf.take = 2, 0
    bpy.ops.lsf.generate_takes()
    assert count() == 3 and playing() == 1
    bpy.ops.lsf.step_take(step=-1)
    np.testing.assert_allclose(played(), single, atol=0.05)
    scene.lsf.take = 50
    bpy.ops.lsf.generate_takes()
    assert count() == 5 and seed(playing()) == "50"


class SeededClient(Client):
    """Answers one seed with one motion, as the server does."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        rng = np.random.default_rng(request["settings"]["seed"])
        job.arrays["motion"] = rng.random(job.arrays["motion"].shape).astype(np.float32)
        return job


def test_takes_that_are_generated_again_are_kept_once_and_the_first_of_them_plays(scene, addon, monkeypatch):
    use(addon, monkeypatch, SeededClient())
    scene.lsf.takes.count = 4
    bpy.ops.lsf.generate_takes()
    scene.lsf.takes.count, scene.lsf.take = 2, 1
    bpy.ops.lsf.generate_takes()
    assert count() == 4 and seed(playing()) == "1"


def test_takes_are_kept_in_the_file(scene, client, tmp_path):
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    before = played()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "takes.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "takes.blend"))
    assert count() == 3 and playing() == 1
    bpy.ops.lsf.step_take(step=1)
    bpy.ops.lsf.step_take(step=-1)
    np.testing.assert_allclose(played(), before, atol=1e-6)


def test_a_take_plays_where_the_line_is_now(scene, client):
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    before = played()
    bpy.ops.lsf.step_take(step=-1)
    (strip,) = compat.all_strips(scene.sequence_editor)
    strip.frame_start += 75
    action, record = line()
    lines.move(action, record, 100)
    lines.rewrite(action, [record])
    bpy.ops.lsf.step_take(step=1)
    (curve,) = [c for c in compat.fcurves_of(action) if '"jawOpen"' in c.data_path]
    np.testing.assert_allclose([curve.evaluate(100 + i) for i in range(96)], before, atol=1e-5)


def test_without_a_result_nothing_changes(scene, addon, monkeypatch):
    use(addon, monkeypatch, Client(State.CANCELLED))
    assert bpy.ops.lsf.generate_takes() == {"CANCELLED"}
    assert not bpy.data.actions and addon.session.message == "Cancelled: nothing was changed"
    use(addon, monkeypatch, Client(State.FAILED))
    with pytest.raises(RuntimeError, match="headache"):
        bpy.ops.lsf.generate_takes()
    assert not bpy.data.actions


def test_buttons_say_why_they_are_disabled(scene, client):
    for name in ("step_take", "keep_take"):
        with pytest.raises(RuntimeError, match="Generate"):
            getattr(bpy.ops.lsf, name)()
    bpy.ops.lsf.generate()
    with pytest.raises(RuntimeError, match="This line has no takes"):
        bpy.ops.lsf.step_take()


def add_own_keys(names) -> bpy.types.Key:
    head, rng = bpy.context.object, np.random.default_rng(0)
    head.shape_key_add(name="Basis")
    for name in names:
        key = head.shape_key_add(name=name, from_mix=False)
        key.value = 0
        key.points.foreach_set("co", rng.normal(0, 1, 3 * len(key.points)).astype(np.float32))
    return head.data.shape_keys


def curve_of(name: str) -> np.ndarray:
    """Return the generated curve (96,) of a key."""
    (curve,) = [c for c in compat.fcurves_of(line().action) if f'"{name}"' in c.data_path]
    return np.array([curve.evaluate(25 + i) for i in range(96)])


def test_every_take_on_own_keys_has_the_blinks_and_the_gaze_of_the_first(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, SpeechClient())
    add_own_keys(CHANNELS)
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    for k, job in enumerate(client.jobs):
        lid = job.arrays["motion"][:96, CHANNELS.index("eyeBlinkLeft")]
        blinks = client.jobs[0].arrays["blinks"][0, :96]
        np.testing.assert_allclose(curve_of("eyeBlinkLeft"), lid + blinks * (1 - lid), atol=0.02, err_msg=f"take {k}")
        assert curve_of("eyeLookOutLeft")[50:70] == pytest.approx(7 / 28, abs=0.02)
        bpy.ops.lsf.step_take(step=1)


def test_every_take_on_a_solved_rig_plays_its_own_solution(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, SpeechClient())
    add_own_keys("AIUEO")
    scene.lsf.takes.count = 3
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    bpy.ops.lsf.generate_takes()
    levels = []
    for _ in range(3):
        levels.append(curve_of("U"))
        bpy.ops.lsf.step_take(step=1)
    for job, level in zip(client.jobs, levels, strict=True):
        np.testing.assert_allclose(level, job.arrays["rig_motion"][:96, 2], atol=0.02)
    bpy.ops.lsf.step_take(step=1)
    bpy.ops.lsf.keep_take()
    lines.refresh(*line())
    np.testing.assert_allclose(curve_of("U"), client.jobs[1].arrays["rig_motion"][:96, 2], atol=0.02)


def test_the_head_motion_is_that_of_the_first_take(scene, addon, monkeypatch):
    class NoddingClient(SpeechClient):
        def submit(self, kind, request, arrays):
            job = super().submit(kind, request, arrays)
            points = np.zeros((68, 3), np.float32)
            points[[36, 45, 27, 8]] = (-0.1, 0, 0), (0.1, 0, 0), (0, 0, 0), (0, 0, -0.3)  # a face along -Y
            job.arrays |= {"landmarks68": points, "landmark_vertices": np.zeros(68, np.int32)}
            job.arrays["head"][:, 0] = 0.1 * len(self.jobs)
            return job

    client = use(addon, monkeypatch, NoddingClient())
    scene.lsf.takes.count = 2
    head = bpy.context.object
    head.lsf.nod.object = head
    bpy.ops.lsf.generate_takes()
    assert [job.request["settings"]["layers"] for job in client.jobs] == [["blinks", "gaze", "head"]] * 2
    (constraint,) = head.constraints
    curves = {curve.array_index: curve for curve in compat.fcurves_of(constraint.target.animation_data.action)}
    assert curves[0].evaluate(60) == pytest.approx(0.1, abs=1e-4)


@pytest.fixture
def two(addon, add_strip, clicks, monkeypatch) -> TwoLines:
    """A head with two lines that were generated as take 0."""
    use(addon, monkeypatch, SpeechClient())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    made = TwoLines(add_strip, clicks, bpy.context.object)
    made.generate(0)
    made.generate(1)
    return made


def counts(two) -> list[int]:
    return [takes.count(two.action, two.record(number).uid) for number in (0, 1)]


def test_as_many_takes_are_kept_as_were_asked_for(two, addon):
    """Take 0 was there before; it is the first of them, and not one more."""
    two.generate_takes(0, 4)
    assert counts(two) == [4, 0] and addon.session.message.startswith("4 takes of line 1, ")
    two.generate_takes(0, 4)
    two.generate_takes(1, 2)
    assert counts(two) == [4, 2] and addon.session.message.startswith("2 takes of line 2, ")
    two.generate_takes(0, 3, take=10)
    assert counts(two) == [7, 2] and addon.session.message.startswith("3 takes of line 1, "), "earlier ones stay"


def test_a_take_with_other_variation_is_another_take(two):
    two.generate_takes(0, 2)
    two.strips[0].id_data.lsf.variation = 0.7
    two.generate_takes(0, 2)
    assert counts(two) == [3, 0], "take 0 has none"


def test_takes_of_a_line_leave_the_other_one_alone(two):
    before, kept = two.values(SECOND), two.kept(1)
    two.generate_takes(0, 3, take=6)
    seen = [two.values(FIRST)]
    two.choose(0)
    for _ in range(2):
        bpy.ops.lsf.step_take(step=1)
        seen.append(two.values(FIRST))
        assert same_values(two.values(SECOND), before)
    assert not any(same_values(seen[i], seen[j], 0.1) for i in range(3) for j in range(i))
    assert two.kept(1).seed == kept.seed == 0 and counts(two) == [4, 0]
    two.choose(1)
    assert not bpy.ops.lsf.step_take.poll() and not bpy.ops.lsf.keep_take.poll()
    two.choose(0)
    bpy.ops.lsf.keep_take()
    assert counts(two) == [0, 0] and same_values(two.values(SECOND), before)


def test_each_line_plays_its_own_take(two):
    two.generate_takes(0, 2, take=3)
    two.generate_takes(1, 2, take=3)
    two.choose(0)
    bpy.ops.lsf.step_take(step=1)
    assert [two.kept(number).seed for number in (0, 1)] == [4, 3]
    assert same_values(two.values(SECOND), dict(zip(two.values(FIRST), two.values(SECOND).values(), strict=True)))


def test_blinks_and_gaze_stay_through_takes(two):
    """Also those that the artist has chosen: another variant, or less of them."""
    two.generate_takes(0, 3, take=6)
    two.choose(0)
    sliders = two.record(0).tweaks
    sliders.variant, sliders.blinks = 2, 0.5
    seen = []
    for _ in range(3):
        lid, look = two.kept(0), two.curve("eyeLookOutLeft", FIRST)
        speech = lid.motion[:, lid.channels.index("eyeBlinkLeft")]
        blink = two.curve("eyeBlinkLeft", FIRST) - speech
        np.testing.assert_allclose(blink[30:32], 0.5 * (1 - speech[30:32]), atol=0.02)
        assert np.abs(np.delete(blink, range(26, 36))).max() < 0.02
        np.testing.assert_allclose(look[50:70], 9 / 28, atol=0.02)
        seen.append(speech)
        bpy.ops.lsf.step_take(step=1)
    assert np.abs(seen[0] - seen[1]).max() > 0.05


def test_a_first_take_that_fails_leaves_the_others_their_blinks(addon, add_strip, clicks, monkeypatch):
    class Moody(SpeechClient):
        def submit(self, kind, request, arrays):
            self.state = State.DONE if self.jobs else State.FAILED
            return super().submit(kind, request, arrays)

    use(addon, monkeypatch, Moody())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    two = TwoLines(add_strip, clicks, bpy.context.object)
    two.generate_takes(0, 3)
    assert takes.count(two.action, two.record(0).uid) == 2 and "1 failed" in addon.session.message
    assert store.has_eyes(two.action, two.record(0).uid) and two.curve("eyeBlinkLeft", FIRST + 20, 2).min() > 0.98


def stored(now: Group, *kept) -> dict:
    """An Action with a line and takes of it."""
    return {
        store.PROPERTY: Group(a=now),
        takes.PROPERTY: Group(a=Group({f"{i:03}": take for i, take in enumerate(kept)})),
    }


def test_a_damaged_take_is_neither_counted_nor_played():
    now, other = record(predicted()), record(predicted(seed=1))
    for foreign in (3, Group(), Group(version=99), record(predicted()) | {"fps": "fast"}):
        action = stored(now, foreign, other, now)
        assert takes.count(action, "a") == 2 and takes.playing(action, "a") == 1
        takes.play(action, "a", 0)
        assert takes.playing(action, "a") == 0
    other["motion"]["bytes"] = b"no zlib"
    action = stored(now, now, other)
    with pytest.raises(UserError, match="damaged"):
        takes.play(action, "a", 1)
    assert takes.playing(action, "a") == 0


def test_what_cannot_be_read_stays_in_the_file():
    newer = Group(version=99, seed="8")
    action = stored(record(predicted()), newer)
    takes.add(action, "a")
    assert action[takes.PROPERTY]["a"] == {"000": newer, "001": record(predicted())}


def test_a_take_of_another_length_has_its_own_blinks():
    action = stored(record(predicted(100)), record(predicted(240)))
    takes.play(action, "a", 0)
    assert store.load(action, "a").blinks.shape == (3, 240)


def test_a_damaged_take_is_said(scene, client):
    scene.lsf.takes.count = 2
    bpy.ops.lsf.generate_takes()
    before = kept().motion
    line().action[takes.PROPERTY][line().uid]["001"]["motion"]["bytes"] = b"no zlib"
    with pytest.raises(RuntimeError, match="This take is damaged: generate the line again"):
        bpy.ops.lsf.step_take(step=1)
    assert np.array_equal(kept().motion, before) and playing() == 0
