"""Takes: generated together, kept in the file, stepped through, one kept."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import refresh
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.prediction import store, takes
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use


@pytest.fixture
def scene(addon, add_strip, clicks):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    return bpy.context.scene


@pytest.fixture
def client(scene, addon, monkeypatch):
    return use(addon, monkeypatch, Client())


def played() -> np.ndarray:
    """Return the jaw's curve (96,)."""
    action = refresh.current(bpy.context)
    (curve,) = [c for c in compat.fcurves_of(action) if '"jawOpen"' in c.data_path]
    return np.array([curve.evaluate(25 + i) for i in range(96)])


def test_takes_have_seeds_one_after_the_other_and_the_first_plays(scene, client):
    scene.lsf.take, scene.lsf.takes.count, scene.lsf.variation = 7, 3, 0.4
    assert bpy.ops.lsf.generate_takes() == {"FINISHED"}
    requests = [job.request["settings"] for job in client.jobs]
    assert [request["seed"] for request in requests] == [7, 8, 9]
    assert [request["temperature"] for request in requests] == pytest.approx([0.4] * 3)
    assert [request["layers"] for request in requests] == [["blinks", "gaze"], [], []]
    action = refresh.current(bpy.context)
    assert takes.count(action) == 3 and takes.playing(action) == 0 and takes.seed(action, 2) == "9"
    assert store.load(action).seed == 7


def test_stepping_replaces_the_curves_and_wraps_around(scene, client):
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    action, seen = refresh.current(bpy.context), [played()]
    for expected in (1, 2, 0):
        assert bpy.ops.lsf.step_take(step=1) == {"FINISHED"}
        assert takes.playing(action) == expected
        seen.append(played())
    np.testing.assert_allclose(seen[3], seen[0], atol=1e-6)
    assert np.abs(seen[0] - seen[1]).max() > 0.1 and np.abs(seen[1] - seen[2]).max() > 0.1
    bpy.ops.lsf.step_take(step=-1)
    assert takes.playing(action) == 2
    jaw = store.load(action).motion[:, store.load(action).channels.index("jawOpen")]
    np.testing.assert_allclose(played(), jaw, atol=0.05)


def test_keep_one_and_delete_the_rest(scene, client):
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    before = played()
    assert bpy.ops.lsf.keep_take() == {"FINISHED"}
    action = refresh.current(bpy.context)
    assert takes.count(action) == 0 and takes.PROPERTY not in action and store.load(action).seed == 1
    np.testing.assert_array_equal(played(), before)
    assert not bpy.ops.lsf.step_take.poll() and not bpy.ops.lsf.keep_take.poll()


def test_what_was_generated_before_is_a_take_too_and_more_takes_join(scene, client):
    bpy.ops.lsf.generate()
    single = played()
    scene.lsf.takes.count = 2
    bpy.ops.lsf.generate_takes()
    action = refresh.current(bpy.context)
    assert takes.count(action) == 3 and takes.playing(action) == 1
    bpy.ops.lsf.step_take(step=-1)
    np.testing.assert_allclose(played(), single, atol=0.05)
    scene.lsf.take = 50
    bpy.ops.lsf.generate_takes()
    assert takes.count(action) == 5 and takes.seed(action, takes.playing(action)) == "50"


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
    action = refresh.current(bpy.context)
    assert takes.count(action) == 4 and takes.seed(action, takes.playing(action)) == "1"


def test_takes_are_kept_in_the_file(scene, client, tmp_path):
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    bpy.ops.lsf.step_take(step=1)
    before = played()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "takes.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "takes.blend"))
    action = refresh.current(bpy.context)
    assert takes.count(action) == 3 and takes.playing(action) == 1
    bpy.ops.lsf.step_take(step=1)
    bpy.ops.lsf.step_take(step=-1)
    np.testing.assert_allclose(played(), before, atol=1e-6)


def test_a_take_plays_where_the_line_is_now(scene, client):
    bpy.ops.lsf.generate_takes()
    action = refresh.current(bpy.context)
    moved = {**action[store.PROPERTY].to_dict(), "first_frame": 100}
    action[store.PROPERTY] = moved
    takes.play(action, 1)
    assert store.load(action).first_frame == 100


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


class RigClient(Client):
    """Answers for a head with keys of its own: solved visemes, and the layers that were asked for."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        count, wanted = len(job.arrays["motion"]), request["settings"]["layers"]
        job.arrays["motion"][:, [CHANNELS.index(name) for name in CHANNELS if name.startswith("eyeLook")]] = 0
        if "rig_shapes" in arrays:
            level = 0.2 * len(self.jobs)
            job.arrays["rig_motion"] = np.full((count, len(arrays["rig_shapes"])), level, np.float32)
        if "blinks" in wanted:
            job.arrays["blinks"] = np.full(count, 0.5, np.float32)
        if "gaze" in wanted:
            job.arrays["gaze"] = np.tile(np.float32([14 / len(self.jobs), 0]), (count, 1))
        return job


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
    (curve,) = [c for c in compat.fcurves_of(refresh.current(bpy.context)) if f'"{name}"' in c.data_path]
    return np.array([curve.evaluate(25 + i) for i in range(96)])


def test_every_take_on_own_keys_blinks(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    add_own_keys(CHANNELS)
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    assert [job.request["settings"]["layers"] for job in client.jobs] == [["blinks", "gaze"]] * 3
    for k, job in enumerate(client.jobs):
        lid = job.arrays["motion"][:96, CHANNELS.index("eyeBlinkLeft")]
        np.testing.assert_allclose(curve_of("eyeBlinkLeft"), lid + 0.5 * (1 - lid), atol=0.02, err_msg=f"take {k}")
        bpy.ops.lsf.step_take(step=1)


def test_takes_on_own_keys_share_the_gaze_of_the_first(scene, addon, monkeypatch):
    use(addon, monkeypatch, RigClient())
    keys = add_own_keys(CHANNELS)
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    scene.frame_set(50)
    assert keys.key_blocks["eyeLookOutLeft"].value == pytest.approx(0.5, abs=0.01)


def test_every_take_on_a_solved_rig_plays_its_own_solution(scene, addon, monkeypatch):
    use(addon, monkeypatch, RigClient())
    add_own_keys("AIUEO")
    scene.lsf.takes.count = 3
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    bpy.ops.lsf.generate_takes()
    levels = []
    for _ in range(3):
        levels.append(curve_of("U").mean())
        bpy.ops.lsf.step_take(step=1)
    assert levels == pytest.approx([0.2, 0.4, 0.6], abs=0.01)
    bpy.ops.lsf.step_take(step=1)
    bpy.ops.lsf.keep_take()
    refresh.refresh(refresh.current(bpy.context))
    assert curve_of("U").mean() == pytest.approx(0.4, abs=0.01)


def test_the_head_motion_is_that_of_the_first_take(scene, addon, monkeypatch):
    client = use(addon, monkeypatch, RigClient())
    add_own_keys("AIUEO")
    scene.lsf.takes.count = 2
    head = bpy.context.object
    head.lsf.nod.object = head
    bpy.ops.lsf.generate_takes()
    assert [job.request["settings"]["layers"] for job in client.jobs] == [
        ["blinks", "gaze", "head"],
        ["blinks", "gaze"],
    ]
