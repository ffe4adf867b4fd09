"""Panels ask at every redraw what the artist has edited: keys are read again after a change, and only then."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import action_cache, actions, lines, user_edits
from lsf_blender_addon.animation.fcurves import value_path
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source
from tests.lsf_blender_addon.animation.stage import prediction

NAMES = [f"key {k}" for k in range(52)]
PATH = value_path(NAMES[7])
FIRST = {"a": 10, "b": 110}  # frames at which lines of 60 frames begin
AT = 30  # a frame of line a, in which every frame has its key


@pytest.fixture
def action(addon) -> bpy.types.Action:
    """A head's Action with 52 curves and two lines; Blender has taken notice of it."""
    return new_head()


def new_head() -> bpy.types.Action:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for name in ("Basis", *NAMES):
        cube.shape_key_add(name=name)
    for uid in FIRST:
        write(cube.data, uid)
    bpy.context.view_layer.update()
    return actions.existing(cube.data)


def write(mesh, uid: str) -> None:
    source = Source(uid, uid, "Scene", "a.wav", 24.0, FIRST[uid], 60, 0.0, 60.0)
    values = np.random.default_rng(len(uid)).random((60, 52))
    action, record = lines.put(mesh, "head", source, prediction(values, NAMES))
    record.tweaks["density"] = 1.0
    lines.write(mesh, action, record)


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """Grows by one with every curve whose keys are compared."""
    counted, find_edits = [], user_edits.find_edits
    monkeypatch.setattr(user_edits, "find_edits", lambda *args: counted.append(1) or find_edits(*args))
    return counted


def curve(action) -> bpy.types.FCurve:
    return next(fcurve for fcurve in compat.fcurves_of(action) if fcurve.data_path == PATH)


def point(fcurve) -> bpy.types.Keyframe:
    return next(point for point in fcurve.keyframe_points if point.co[0] == AT)


def redraw(action, uid: str = "a") -> lines.Edits:
    """Blender brings its dependency graph up to date before it draws."""
    bpy.context.view_layer.update()
    lines.is_edited(action, lines.find(action, uid))
    return lines.edits(action, lines.find(action, uid))


def ranges(action) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """What the artist has edited in each line."""
    return {record.uid: redraw(action, record.uid).ranges for record in lines_of(action)}


def test_keys_are_read_once_for_many_redraws(action, reads):
    for _ in range(20):
        assert redraw(action) == redraw(action, "b") == lines.Edits({}, frozenset())
    assert len(reads) == 2 * len(NAMES)


def test_playback_reads_no_keys(action, reads):
    redraw(action)
    for frame in range(1, 10):
        bpy.context.scene.frame_set(frame)
        redraw(action)
    assert len(reads) == len(NAMES)


def insert(fcurve):
    fcurve.keyframe_points.insert(AT + 0.5, 0.3)


def set_value(fcurve):
    point(fcurve).co[1] += 0.2


def set_handle_type(fcurve):
    point(fcurve).handle_left_type = "FREE"


def set_interpolation(fcurve):
    point(fcurve).interpolation = "CONSTANT"


def delete(fcurve):
    fcurve.keyframe_points.remove(point(fcurve))


def set_many(fcurve):
    co = np.empty(2 * len(fcurve.keyframe_points), np.float32)
    fcurve.keyframe_points.foreach_get("co", co)
    co[2 * [point.co[0] for point in fcurve.keyframe_points].index(AT) + 1] += 0.2
    fcurve.keyframe_points.foreach_set("co", co)
    fcurve.id_data.update_tag()  # a script's part: 4.2 does not report bulk edits by itself


EDITS = [insert, set_value, set_handle_type, set_interpolation, delete, set_many]


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_found(action, edit):
    redraw(action)
    edit(curve(action))
    found = ranges(action)
    assert list(found["a"]) == [PATH] and found["b"] == {}
    assert lines.is_edited(action, lines.find(action, "a")) and not lines.is_edited(action, lines.find(action, "b"))


@pytest.mark.parametrize("edit", EDITS)
def test_edits_before_a_change_of_frame_are_found(action, edit):
    """An operator may edit and then go to another frame: Blender updates once, for the frame."""
    redraw(action)
    edit(curve(action))
    bpy.context.scene.frame_set(40)
    assert list(redraw(action).ranges) == [PATH]


def test_two_functions_do_not_get_each_others_results(action):
    assert action_cache.remembered(action, len_of_name) == len(action.name)
    assert action_cache.remembered(action, name_of) == action.name
    assert action_cache.remembered(action, len_of_name) == len(action.name)


def len_of_name(action):
    return len(action.name)


def name_of(action):
    return action.name


@pytest.mark.parametrize("edit", EDITS)
def test_edits_of_an_action_that_no_scene_uses_are_found(action, edit):
    other = new_head()
    bpy.data.objects.remove(bpy.context.object)
    redraw(other)
    edit(curve(other))
    assert list(redraw(other).ranges) == [PATH]


def test_a_deleted_curve_is_found(action):
    redraw(action)
    compat.key_fcurves(action).remove(curve(action))
    assert redraw(action) == redraw(action, "b") == lines.Edits({}, frozenset({PATH}))


def test_our_own_writing_is_found_at_once(action):
    set_value(curve(action))
    assert redraw(action).ranges
    lines.refresh(action, lines.find(action, "a"), keep=False)
    assert not lines.is_edited(action, lines.find(action, "a"))


def named() -> bpy.types.Action:
    """The head's Action, after all data is new."""
    return next(action for action in bpy.data.actions if actions.is_generated(action))


def test_undo_and_redo(action):
    bpy.ops.ed.undo_push(message="before")
    assert not redraw(action).ranges
    set_value(curve(action))
    bpy.ops.ed.undo_push(message="edit")
    assert redraw(action).ranges
    bpy.ops.ed.undo()
    assert not redraw(named()).ranges
    bpy.ops.ed.redo()
    assert redraw(named()).ranges


def test_another_file_is_opened(action, tmp_path):
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    set_value(curve(action))
    assert redraw(action).ranges
    bpy.ops.wm.open_mainfile(filepath=path)
    assert not redraw(named()).ranges


def test_without_handlers_nothing_is_remembered(action, reads):
    action_cache.unregister()
    for _ in range(2):
        lines.is_edited(action, lines.find(action, "a"))
    action_cache.register()
    assert len(reads) >= 2 * len(NAMES)
