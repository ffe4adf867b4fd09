"""Export and import of face curves on real shape keys."""

import json

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions
from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from lsf_blender_addon.scene.snapshots import Line

FRAMES = 40


@pytest.fixture
def head(addon):
    """A cube with keys in several spellings, of which a driver moves one."""
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for name in ("Basis", "jawOpen", "MouthClose", "mine", "browInnerUp"):
        cube.shape_key_add(name=name).value = 0
    cube.data.shape_keys.key_blocks["browInnerUp"].driver_add("value").driver.expression = "frame / 100"
    bpy.context.scene.render.fps = 24
    return cube


def animate(head, names=("jawOpen", "MouthClose"), strip="line", first=25) -> np.ndarray:
    motion = 0.5 + 0.4 * np.sin(np.arange(FRAMES)[:, None] / 4 + np.arange(len(names)) + first)
    line = Line(strip, bpy.context.scene.name, "/line.wav", None, 24.0, first, FRAMES, 0.0, FRAMES / 24, 0.0)
    actions.write(head.data, line, list(names), motion)
    return motion


def take(tmp_path, names=("jawOpen", "mouthClose", "browInnerUp", "cheekPuff"), seconds=2.0, fps=60):
    """A recording of 60 fps, as the app would write it."""
    times = np.arange(int(seconds * fps)) / fps
    values = np.stack([0.5 + 0.4 * np.sin(4 * times + k) for k in range(len(names))], 1).astype(np.float32)
    live_link.write(tmp_path / "take.csv", Curves(list(names), 36000 + times, values), fps)
    return tmp_path / "take.csv"


def test_import_puts_the_recording_on_scene_frames(head, addon, tmp_path):
    path = take(tmp_path)
    assert bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=101) == {"FINISHED"}
    action = head.data.shape_keys.animation_data.action
    assert actions.is_generated(action)
    curves = {curve.data_path: curve for curve in compat.fcurves_of(action)}
    assert set(curves) == {actions.value_path("jawOpen"), actions.value_path("MouthClose")}, "not the driven one"
    for k, name in enumerate(("jawOpen", "MouthClose")):
        played = [curves[actions.value_path(name)].evaluate(101 + i) for i in range(48)]
        assert played == pytest.approx((0.5 + 0.4 * np.sin(4 * np.arange(48) / 24 + k)).tolist(), abs=0.015)
    assert "48 frames" in addon.session.message and "browInnerUp" in addon.session.message
    assert "cheekPuff" in addon.session.message and "tongueOut" not in addon.session.message


def test_import_again_replaces_and_the_artists_action_stays(head, tmp_path):
    key = head.data.shape_keys.key_blocks["mine"]
    key.keyframe_insert("value", frame=3)
    theirs = head.data.shape_keys.animation_data.action
    path = take(tmp_path)
    for _ in range(2):
        bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=101)
    assert head.data.shape_keys.animation_data.action == theirs and len(compat.fcurves_of(theirs)) == 1
    assert sorted(
        action.name for action in bpy.data.actions if actions.is_generated(action) and action.name != "LSF · rest"
    ) == ["LSF · take.csv"]


def test_import_says_what_to_do(head, tmp_path, dump):
    path = take(tmp_path, names=("cheekPuff", "browInnerUp"))
    for key in list(head.data.shape_keys.key_blocks)[:0:-1]:
        if key.name not in {"mine", "browInnerUp"}:
            head.shape_key_remove(key)
    before = len(bpy.data.actions)
    with pytest.raises(RuntimeError, match="press Generate for any line first"):
        bpy.ops.lsf.import_live_link(filepath=str(path))
    assert len(bpy.data.actions) == before
    head.shape_key_clear()
    assert not bpy.ops.lsf.import_live_link.poll() and not bpy.ops.lsf.export_curves.poll()
    with pytest.raises(RuntimeError, match="has no shape keys"):
        bpy.ops.lsf.import_live_link(filepath=str(path))


def test_export_contains_the_evaluated_values(head, tmp_path):
    """Two lines on the NLA, and a driver."""
    one = animate(head, strip="one")
    two = animate(head, strip="two", first=80)
    bpy.context.scene.frame_set(7)
    before = [key.value for key in head.data.shape_keys.key_blocks]
    path = tmp_path / "curves.json"
    bpy.ops.lsf.export_curves(filepath=str(path), format="JSON", first_frame=20, last_frame=130)
    document = json.loads(path.read_text("utf-8"))
    assert document["names"] == ["jawOpen", "MouthClose", "mine", "browInnerUp"]
    assert (document["fps"], document["first_frame"]) == (24, 20)
    values = np.array(document["values"])
    assert values.shape == (111, 4)
    np.testing.assert_allclose(values[5:45, :2], one, atol=1e-6)
    np.testing.assert_allclose(values[60:100, :2], two, atol=1e-6)
    assert not values[:5, :2].any() and not values[45:60, :2].any() and not values[:, 2].any()
    np.testing.assert_allclose(values[:, 3], np.minimum(1, np.arange(20, 131) / 100), atol=1e-6)
    assert [key.value for key in head.data.shape_keys.key_blocks] == before
    assert bpy.context.scene.frame_current == 7 and len(bpy.data.scenes) == 1


@pytest.mark.parametrize("rate", [0, 60])
def test_exported_live_link_is_imported_the_same(head, tmp_path, rate):
    motion = animate(head)
    path = tmp_path / "out.csv"
    bpy.ops.lsf.export_curves(filepath=str(path), format="CSV", first_frame=25, last_frame=64, rate=rate)
    assert path.read_text().splitlines()[1].startswith("00:00:01:" + ("02.500" if rate else "01.000"))
    bpy.data.actions.remove(head.data.shape_keys.animation_data.action)
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=25, every_frame=True)
    curves = {curve.data_path: curve for curve in compat.fcurves_of(head.data.shape_keys.animation_data.action)}
    for k, name in enumerate(("jawOpen", "MouthClose")):
        played = [curves[actions.value_path(name)].evaluate(25 + i) for i in range(FRAMES - 2)]
        assert played == pytest.approx(motion[:-2, k].tolist(), abs=0.01 if rate else 2e-6)


def test_the_heads_own_keys_in_another_spelling(head, tmp_path):
    """One follows its channel at half strength, one follows two channels."""
    for name in ("Jaw", "Smile"):
        head.shape_key_add(name=name).value = 0
    head.data.shape_keys.key_blocks["jawOpen"].name = "unused"
    head.lsf.own_keys = "LIST"
    for key, channel, gain in (
        ("Jaw", "jawOpen", 0.5),
        ("Smile", "mouthSmileLeft", 0.5),
        ("Smile", "mouthSmileRight", 0.5),
    ):
        row = head.lsf.mapping.add()
        row.key, row.channel, row.gain = key, channel, gain
    path = take(tmp_path, ("jawOpen", "mouthSmileLeft", "mouthSmileRight"))
    bpy.ops.lsf.import_live_link(filepath=str(path), first_frame=1, every_frame=True)
    curves = {curve.data_path: curve for curve in compat.fcurves_of(head.data.shape_keys.animation_data.action)}
    times = np.arange(40) / 24
    for key, expected in (
        ("Jaw", 0.5 * (0.5 + 0.4 * np.sin(4 * times))),
        ("Smile", 0.5 * (1 + 0.4 * np.sin(4 * times + 1) + 0.4 * np.sin(4 * times + 2))),
    ):
        values = [curves[actions.value_path(key)].evaluate(1 + i) for i in range(40)]
        assert values == pytest.approx(expected.tolist(), abs=5e-3)
    bpy.ops.lsf.export_curves(filepath=str(tmp_path / "out.csv"), format="CSV", first_frame=1, last_frame=40)
    back = live_link.read(tmp_path / "out.csv")
    jaw = back.values[:, back.names.index("jawOpen")]
    np.testing.assert_allclose(jaw, 0.5 + 0.4 * np.sin(4 * times), atol=5e-3)
    assert not back.values[:, back.names.index("mouthSmileLeft")].any(), "it cannot be told from the right one"


def test_import_has_few_keys(head, tmp_path):
    bpy.ops.lsf.import_live_link(filepath=str(take(tmp_path, seconds=10)), first_frame=1)
    curve = compat.fcurves_of(head.data.shape_keys.animation_data.action)[0]
    assert 4 < len(curve.keyframe_points) < 240 / 3
    values = [curve.evaluate(1 + i) for i in range(239)]
    assert values == pytest.approx((0.5 + 0.4 * np.sin(4 * np.arange(239) / 24)).tolist(), abs=0.02)


@pytest.mark.parametrize("last_frame", [3, 8])
def test_export_refuses_an_end_before_the_start(head, tmp_path, last_frame):
    with pytest.raises(RuntimeError, match="end frame"):
        bpy.ops.lsf.export_curves(filepath=str(tmp_path / "x.csv"), first_frame=9, last_frame=last_frame)


def test_export_refuses_with_a_sentence(head, tmp_path):
    with pytest.raises(RuntimeError, match="choose another folder"):
        bpy.ops.lsf.export_curves(filepath=str(tmp_path / "gone" / "x.csv"))


def test_the_menus_have_entries(addon):
    for menu, draw in addon.MENUS:
        assert draw in menu._dyn_ui_initialize()
    addon.unregister()
    assert all(draw not in menu._dyn_ui_initialize() for menu, draw in addon.MENUS)
    addon.register()
