"""Sliders on a generated line: curves that follow at once, and that Reset brings back exactly."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import fcurves
from lsf_blender_addon.prediction import store
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use


class Speaking(Client):
    """Smooth curves with an expression, as a real server sends them."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        shape = job.arrays["motion"].shape
        rng = np.random.default_rng(len(self.jobs))
        t = np.arange(shape[0])[:, None] / request["settings"]["fps"]
        motion = 0.4 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5, shape[1]) * t + rng.uniform(0, 6, shape[1]))
        for name in ("tongueOut", "mouthFrownLeft", "mouthFrownRight"):
            motion[:, CHANNELS.index(name)] = 0
        landmarks = rng.normal(0, 1, (68, 3))
        landmarks[36], landmarks[45], landmarks[8] = (-0.5, -1, 0.5), (0.5, -1, 0.5), (0, -1, -1)
        job.header["emotions"] = ["glad"]
        job.arrays |= {
            "motion": motion.astype(np.float32),
            "expression": (motion / 2).astype(np.float32),
            "emotion": np.ones((shape[0], 1), np.float32),
            "landmarks68": landmarks.astype(np.float32),
            "landmark_vertices": np.arange(68, dtype=np.int32) % len(arrays["vertices"]),
        }
        return job


@pytest.fixture
def head(addon, add_strip, clicks, monkeypatch) -> bpy.types.Object:
    """A head for which a line of four seconds at frame 25 was generated."""
    add_strip(clicks, fps=(24, 1.0))
    use(addon, monkeypatch, Speaking())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    bpy.ops.lsf.generate()
    return bpy.context.object


def action_of(head) -> bpy.types.Action:
    return head.data.shape_keys.animation_data.action


def values(action, *names) -> np.ndarray:
    """(F, len(names)) of the curves at frames 25 to 120."""
    by_path = {curve.data_path: curve for curve in compat.fcurves_of(action)}
    return np.array([[by_path[fcurves.value_path(name)].evaluate(frame) for name in names] for frame in range(25, 121)])


def everything(action) -> list:
    """All keys of all curves."""
    result = []
    for curve in compat.fcurves_of(action):
        for name in ("co", "handle_left", "handle_right"):
            numbers = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get(name, numbers)
            result.append((curve.data_path, name, numbers.tobytes()))
    return sorted(result)


def test_generate_thins_and_says_how_much(head, addon):
    action = action_of(head)
    kept = store.load(action)
    columns = [k for k in range(52) if np.abs(kept.motion[:, k]).max() > 1e-3]
    made = values(action, *(CHANNELS[k] for k in columns))
    assert np.abs(made - kept.motion[:, columns]).max() <= 0.01
    assert len(compat.fcurves_of(action)) == 49, "what never moves gets no curve"
    assert fcurves.load(action).summary() in addon.session.message and "x fewer" in addon.session.message


def test_density(head):
    tweaks, action = action_of(head).lsf, action_of(head)
    counts = []
    for density in (0.0, 0.3, 0.5, 0.8, 1.0):
        tweaks.density = density
        counts.append(sum(len(curve.keyframe_points) for curve in compat.fcurves_of(action)))
    assert counts == sorted(set(counts)) and counts[-1] == 49 * 96
    np.testing.assert_allclose(values(action, "jawOpen")[:, 0], store.load(action).motion[:96, 17], atol=1e-6)


@pytest.mark.parametrize(
    ("slider", "value", "channel", "factor"),
    [
        ("jaw", 0.5, "jawOpen", 0.5),
        ("lips", 1.2, "mouthFunnel", 1.2),
        ("cheeks", 0.0, "cheekPuff", 0.0),
        ("brows", 1.5, "browInnerUp", 1.5),
        ("lids", 0.7, "eyeBlinkRight", 0.7),
        ("emotion", 0.0, "jawLeft", 0.5),
        ("emotion", 1.4, "eyeLookInLeft", 1.2),
    ],
)
def test_sliders_are_live_and_reset_is_exact(head, slider, value, channel, factor):
    action = action_of(head)
    untouched, before = everything(action), values(action, channel)
    setattr(action.lsf, slider, value)
    np.testing.assert_allclose(values(action, channel), before * factor, atol=0.02)
    assert everything(action) != untouched and action.lsf.is_changed()
    assert bpy.ops.lsf.reset_tweaks() == {"FINISHED"}
    assert everything(action) == untouched and not action.lsf.is_changed()
    assert not bpy.ops.lsf.reset_tweaks.poll()


def test_the_face_moves_without_a_change_of_frame(head):
    bpy.context.scene.frame_set(60)
    key = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks["jawOpen"]
    before = key.value
    action_of(head).lsf.jaw = 0.5
    bpy.context.view_layer.update()
    key = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks["jawOpen"]
    assert key.value == pytest.approx(before / 2, abs=0.02)


def test_a_frown_on_a_face_that_did_not_frown(head):
    action = action_of(head)
    assert "mouthFrownLeft" in head.data.shape_keys.key_blocks
    untouched = everything(action)
    action.lsf.smile = -0.3
    assert values(action, "mouthFrownLeft", "mouthFrownRight")[20:70].min() == pytest.approx(0.3, abs=0.01)
    bpy.ops.lsf.reset_tweaks()
    assert np.abs(values(action, "mouthFrownLeft")).max() < 1e-6, "it rests; a curve that goes would leave it frowning"
    assert [item for item in everything(action) if "Frown" not in item[0]] == untouched


def test_time_offset(head):
    action = action_of(head)
    before = values(action, "jawOpen")
    action.lsf.offset = 3
    assert tuple(action.curve_frame_range) == (28, 28 + 95)
    np.testing.assert_allclose(values(action, "jawOpen")[3:], before[:-3], atol=1e-4)
    bpy.ops.lsf.generate()
    assert tuple(action.curve_frame_range) == (28, 28 + 95), "another run keeps the sliders"


def test_mute(head):
    action = action_of(head)
    channel = action.lsf.channels["jawOpen"]
    assert [channel.name for channel in action.lsf.channels] == list(CHANNELS)
    untouched = everything(action)
    channel.muted = True
    assert np.abs(values(action, "jawOpen")).max() < 1e-6
    bpy.context.scene.frame_set(60)
    bpy.ops.lsf.generate()
    assert fcurves.value_path("jawOpen") not in fcurves.paths(action) and action.lsf.channels["jawOpen"].muted
    assert head.data.shape_keys.key_blocks["jawOpen"].value == 0
    bpy.ops.lsf.reset_tweaks()
    assert np.abs(values(action, "jawOpen")).max() > 0.3 and len(everything(action)) == len(untouched)


def test_two_lines_have_their_own_sliders(head, add_strip, clicks):
    one = action_of(head)
    one.lsf.jaw = 0.5
    if not bpy.app.build_options.audaspace:
        pytest.skip("this bpy makes no strips")
    add_strip(clicks, "second", 300)
    bpy.context.scene.lsf.strip = "second"
    bpy.ops.lsf.generate()
    tracks = head.data.shape_keys.animation_data.nla_tracks
    two = next(strip.action for track in tracks for strip in track.strips if "second" in strip.action.name)
    assert two.lsf.jaw == 1 and one.lsf.jaw == 0.5
    before = everything(one)
    two.lsf.jaw = 0.2
    two.lsf.offset = -2
    assert everything(one) == before
    strip = next(strip for track in tracks for strip in track.strips if strip.action == two)
    assert strip.frame_start == 298 and strip.frame_end == 298 + 95, "the NLA strip goes along"
    bpy.context.scene.frame_set(350)
    jaw = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks["jawOpen"].value
    curve = next(c for c in compat.fcurves_of(two) if c.data_path == fcurves.value_path("jawOpen"))
    assert jaw == pytest.approx(curve.evaluate(350), abs=1e-5)
    assert addon_current() == two


def addon_current():
    from lsf_blender_addon.animation import refresh

    return refresh.current(bpy.context)


def test_keys_by_hand_survive_sliders_and_another_run(head, addon):
    action = action_of(head)
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.97
    jaw.keyframe_insert("value", frame=60)  # as the artist does
    assert not bpy.ops.lsf.reset_tweaks.poll() and bpy.ops.lsf.release_keys.poll()
    for change in (
        lambda: setattr(action.lsf, "jaw", 0.3),
        lambda: setattr(action.lsf, "density", 0.2),
        lambda: setattr(action.lsf, "offset", 2),
        lambda: bpy.ops.lsf.generate(),
        lambda: bpy.ops.lsf.reset_tweaks(),
    ):
        change()
        assert values(action, "jawOpen")[60 - 25, 0] == pytest.approx(0.97, abs=1e-5)
        assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(60, 60)]}
    action.lsf.density = 0.5
    assert bpy.ops.lsf.release_keys() == {"FINISHED"}
    assert not bpy.ops.lsf.release_keys.poll() and values(action, "jawOpen")[35, 0] < 0.7
    np.testing.assert_allclose(values(action, "jawOpen")[:, 0], store.load(action).motion[:96, 17], atol=0.01)


def test_a_slider_of_another_region_leaves_a_curve_with_keys_by_hand_alone(head):
    action = action_of(head)
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.97
    jaw.keyframe_insert("value", frame=60)
    before = [item for item in everything(action) if "jawOpen" in item[0]]
    action.lsf.brows = 0.5
    assert [item for item in everything(action) if "jawOpen" in item[0]] == before
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(60, 60)]}
    action.lsf.jaw = 0.5
    assert [item for item in everything(action) if "jawOpen" in item[0]] != before
    assert values(action, "jawOpen")[35, 0] == pytest.approx(0.97)


def test_keys_by_hand_go_along_with_their_strip(head):
    from lsf_blender_addon.scene import strips

    action = action_of(head)
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.97
    jaw.keyframe_insert("value", frame=60)
    strips.find_strip(bpy.context.scene, "line").frame_start += 100
    bpy.ops.lsf.generate()
    assert tuple(action.curve_frame_range) == (125, 220)
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(160, 160)]}


def move_all_keys(action, frames):
    """As the artist does in the Dope Sheet."""
    for curve in compat.fcurves_of(action):
        for key in curve.keyframe_points:
            for name in ("co", "handle_left", "handle_right"):
                getattr(key, name)[0] += frames
        curve.update()


def test_curves_that_are_moved_in_time_stay_there_with_a_slider(head):
    action = action_of(head)
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.97
    jaw.keyframe_insert("value", frame=60)
    before = values(action, "jawOpen", "browInnerUp")
    move_all_keys(action, 7)
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(67, 67)]}, (
        "moving is no work on single keys"
    )
    action.lsf.brows = 0.5
    assert tuple(action.curve_frame_range) == (32, 32 + 95)
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(67, 67)]}
    after = values(action, "jawOpen", "browInnerUp")
    far = np.abs(np.arange(32, 121) - 67) > 8
    np.testing.assert_allclose(after[7:][far], before[:-7][far] * (1, 0.5), atol=0.02)
    bpy.ops.lsf.generate()
    assert tuple(action.curve_frame_range) == (25, 120), "the next run lies under the strip again"
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(60, 60)]}


def test_curves_that_are_moved_along_with_their_strip(head):
    from lsf_blender_addon.scene import strips

    action = action_of(head)
    jaw = head.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.97
    jaw.keyframe_insert("value", frame=60)
    move_all_keys(action, 100)
    strips.find_strip(bpy.context.scene, "line").frame_start += 100
    bpy.ops.lsf.generate()
    assert tuple(action.curve_frame_range) == (125, 220)
    assert fcurves.edited_ranges(action) == {fcurves.value_path("jawOpen"): [(160, 160)]}


def test_only_the_current_range(head, addon):
    scene, action = bpy.context.scene, action_of(head)
    before, others = values(action, "jawOpen", "mouthSmileLeft"), len(bpy.data.actions)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 60, 90
    scene.lsf.only_range = True
    assert bpy.ops.lsf.generate() == {"FINISHED"} and "frames 60 to 90 anew" in addon.session.message
    after = values(action, "jawOpen", "mouthSmileLeft")
    frame = np.arange(25, 121)
    outside, inside = (frame < 57) | (frame > 93), (frame > 65) & (frame < 85)
    assert np.abs(after - before)[outside].max() < 0.012 and np.abs(after - before)[inside].max() > 0.1
    assert np.abs(np.diff(after, axis=0)).max() < 0.2, "softly"
    assert len(bpy.data.actions) == others and len(store.load(action).motion) == 96
    scene.frame_preview_start, scene.frame_preview_end = 300, 400
    with pytest.raises(RuntimeError, match="not heard in frames 300 to 400"):
        bpy.ops.lsf.generate()


def test_the_current_range_needs_an_earlier_run(head):
    from lsf_blender_addon.scene import strips

    scene = bpy.context.scene
    scene.lsf.only_range = True
    strips.find_strip(scene, "line").frame_final_duration -= 20
    with pytest.raises(RuntimeError, match="trimmed since"):
        bpy.ops.lsf.generate()
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    with pytest.raises(RuntimeError, match="was not generated"):
        bpy.ops.lsf.generate()


def test_sliders_reach_the_keys_of_a_rig(addon, add_strip, clicks, monkeypatch):
    """A head with keys of its own is driven under their names."""
    add_strip(clicks, fps=(24, 1.0))
    use(addon, monkeypatch, Speaking())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    own = ["".join("_" + letter.lower() if letter.isupper() else letter for letter in name) for name in CHANNELS[:44]]
    for k, name in enumerate(own):
        head.shape_key_add(name=name, from_mix=False).points[k % 42].co.z += 0.1 + k
        head.data.shape_keys.key_blocks[name].value = 0
    bpy.ops.lsf.generate()
    action = action_of(head)
    untouched, before = everything(action), values(action, "jaw_open", "brow_inner_up")
    assert {fcurves.key_name(path) for path in fcurves.paths(action)} <= set(own)
    action.lsf.jaw, action.lsf.channels["browInnerUp"].muted = 0.5, True
    after = values(action, "jaw_open", "brow_inner_up")
    np.testing.assert_allclose(after[:, 0], before[:, 0] / 2, atol=0.02)
    assert np.abs(after[:, 1]).max() < 1e-4
    bpy.ops.lsf.reset_tweaks()
    assert everything(action) == untouched
    scene = bpy.context.scene
    scene.lsf.only_range = True
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 60, 90
    bpy.ops.lsf.generate()
    change = np.abs(values(action, "jaw_open", "brow_inner_up") - before)
    assert change[:30].max() < 0.02 and change[75:].max() < 0.02 and change[42:58].max() > 0.1


def test_an_action_that_is_the_artists_is_left_alone(head):
    action = action_of(head)
    action.name = "my take"
    before = everything(action)
    action.lsf.jaw = 0.1
    assert everything(action) == before
    with pytest.raises(RuntimeError, match="press Generate"):
        bpy.ops.lsf.reset_tweaks()


def test_without_a_prediction_it_says_why(head):
    action = action_of(head)
    del action[store.PROPERTY]
    before = everything(action)
    action.lsf.jaw = 0.1
    assert everything(action) == before
    with pytest.raises(RuntimeError, match="keeps no prediction"):
        bpy.ops.lsf.reset_tweaks()


def test_saved_and_reloaded(head, tmp_path):
    action = action_of(head)
    untouched = everything(action)
    action.lsf.jaw = 0.5
    name, path = head.name, str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    action = action_of(bpy.data.objects[name])
    assert action.lsf.jaw == 0.5
    bpy.ops.lsf.reset_tweaks()
    assert everything(action) == untouched
