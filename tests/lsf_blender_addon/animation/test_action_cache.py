"""Panels ask at every redraw what the artist has edited: keys are read again after a change, and only then."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import action_cache, fcurves, user_edits
from lsf_blender_addon.animation.curve_plan import Keying

NAMES = [f"key {k}" for k in range(52)]
PATH = fcurves.value_path(NAMES[7])
DENSE = Keying()


@pytest.fixture
def action(addon) -> bpy.types.Action:
    """A generated Action with 52 curves that plays on the cube's shape keys; Blender has taken notice of it."""
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for name in ("Basis", *NAMES):
        cube.shape_key_add(name=name)
    action = bpy.data.actions.new("LSF · line")
    fcurves.write(action, NAMES, motion(), 1, DENSE)
    compat.assign_key_action(cube.data.shape_keys.animation_data_create(), action)
    bpy.context.view_layer.update()
    return action


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """Grows by one with every curve whose keys are compared."""
    counted, find_edits = [], user_edits.find_edits
    monkeypatch.setattr(user_edits, "find_edits", lambda *args: counted.append(1) or find_edits(*args))
    return counted


def motion(seed=0) -> np.ndarray:
    return np.random.default_rng(seed).random((60, 52)).astype(np.float32)


def curve(action) -> bpy.types.FCurve:
    return next(fcurve for fcurve in compat.fcurves_of(action) if fcurve.data_path == PATH)


def redraw(action) -> fcurves.Edits:
    """Blender brings its dependency graph up to date before it draws."""
    bpy.context.view_layer.update()
    fcurves.is_edited(action)
    return fcurves.edits(action)


def test_keys_are_read_once_for_many_redraws(action, reads):
    for _ in range(20):
        assert redraw(action) == fcurves.Edits({}, frozenset())
    assert len(reads) == len(NAMES)


def test_playback_reads_no_keys(action, reads):
    redraw(action)
    for frame in range(1, 10):
        bpy.context.scene.frame_set(frame)
        redraw(action)
    assert len(reads) == len(NAMES)


def insert(fcurve):
    fcurve.keyframe_points.insert(20.5, 0.3)


def set_value(fcurve):
    fcurve.keyframe_points[20].co[1] += 0.2


def set_handle_type(fcurve):
    fcurve.keyframe_points[20].handle_left_type = "FREE"


def set_interpolation(fcurve):
    fcurve.keyframe_points[20].interpolation = "CONSTANT"


def delete(fcurve):
    fcurve.keyframe_points.remove(fcurve.keyframe_points[20])


def set_many(fcurve):
    co = np.empty(2 * len(fcurve.keyframe_points), np.float32)
    fcurve.keyframe_points.foreach_get("co", co)
    co[41] += 0.2
    fcurve.keyframe_points.foreach_set("co", co)
    fcurve.id_data.update_tag()  # a script's part: 4.2 does not report bulk edits by itself


EDITS = [insert, set_value, set_handle_type, set_interpolation, delete, set_many]


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_found(action, edit):
    redraw(action)
    edit(curve(action))
    assert redraw(action).ranges == fcurves.edited_ranges(action) and list(redraw(action).ranges) == [PATH]
    assert fcurves.is_edited(action)


@pytest.mark.parametrize("edit", EDITS)
def test_edits_before_a_change_of_frame_are_found(action, edit):
    """An operator may edit and then go to another frame: Blender updates once, for the frame."""
    redraw(action)
    edit(curve(action))
    bpy.context.scene.frame_set(40)
    assert list(redraw(action).ranges) == [PATH]


def test_two_functions_do_not_get_each_others_results(action):
    assert action_cache.remembered(action, len_of_name) == len("LSF · line")
    assert action_cache.remembered(action, name_of) == "LSF · line"
    assert action_cache.remembered(action, len_of_name) == len("LSF · line")


def len_of_name(action):
    return len(action.name)


def name_of(action):
    return action.name


@pytest.mark.parametrize("edit", EDITS)
def test_edits_of_an_action_that_no_scene_uses_are_found(action, edit):
    other = bpy.data.actions.new("LSF · other")
    fcurves.write(other, NAMES, motion(), 1, DENSE)
    redraw(other)
    edit(curve(other))
    assert list(redraw(other).ranges) == [PATH]


def test_a_deleted_curve_is_found(action):
    redraw(action)
    compat.key_fcurves(action).remove(curve(action))
    assert redraw(action) == fcurves.Edits({}, frozenset({PATH})) and fcurves.is_edited(action)


def test_our_own_writing_is_found_at_once(action):
    set_value(curve(action))
    assert redraw(action).ranges
    fcurves.write(action, NAMES, motion(), 1, DENSE, keep=False)
    assert not fcurves.is_edited(action)


def test_undo_and_redo(action):
    bpy.ops.ed.undo_push(message="before")
    assert not redraw(action).ranges
    set_value(curve(action))
    bpy.ops.ed.undo_push(message="edit")
    assert redraw(action).ranges
    bpy.ops.ed.undo()
    assert not redraw(bpy.data.actions["LSF · line"]).ranges
    bpy.ops.ed.redo()
    assert redraw(bpy.data.actions["LSF · line"]).ranges


def test_another_file_is_opened(action, tmp_path):
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    set_value(curve(action))
    assert redraw(action).ranges
    bpy.ops.wm.open_mainfile(filepath=path)
    assert not redraw(bpy.data.actions["LSF · line"]).ranges


def test_without_handlers_nothing_is_remembered(blank, reads):
    action = bpy.data.actions.new("LSF · line")
    fcurves.write(action, NAMES, motion(), 1, DENSE)
    for _ in range(2):
        fcurves.is_edited(action)
    assert len(reads) >= 2 * len(NAMES)
