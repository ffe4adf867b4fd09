"""Lines of add-on 0.1.0: assets/lines_of_0_1.blend has two on one head, "one" with a slider and a key of the artist."""

from pathlib import Path

import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines, lines_of_0_1
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.strip_identity import State, state

bpy = pytest.importorskip("bpy")

FILE = Path(__file__).parent.parent / "assets" / "lines_of_0_1.blend"
ONE, TWO = (25, 120), (200, 295)  # first and last frame of each line
HAND_KEY = 60


@pytest.fixture
def head(addon):
    bpy.ops.wm.open_mainfile(filepath=str(FILE))
    return bpy.data.objects["Head"]


def moved(obj, frames):
    """Offsets (F, V, 3) of the evaluated vertices from the Basis."""
    mesh, offsets = obj.data, []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        offsets.append(
            [vertex.co - mesh.shape_keys.reference_key.points[i].co for i, vertex in enumerate(evaluated.vertices)]
        )
    return np.array(offsets)


@pytest.mark.parametrize("name", ["Head", "Lashes"])
@pytest.mark.parametrize("span", [ONE, TWO])
def test_what_moves_on_the_screen_stays(head, span, name):
    obj, frames = bpy.data.objects[name], range(span[0], span[1] + 1)
    before = moved(obj, frames)
    assert np.abs(before).max() > 0.005
    assert lines_of_0_1.are_there(head.data)
    assert lines_of_0_1.take_over(head) == 2
    assert np.abs(moved(obj, frames) - before).max() < 0.02 * np.abs(before).max()
    assert not lines_of_0_1.are_there(head.data)


def test_nothing_of_the_old_design_is_left(head):
    lines_of_0_1.take_over(head)
    keys = head.data.shape_keys
    (action,) = bpy.data.actions
    assert keys.animation_data.action == action == actions.existing(head.data)
    assert not keys.animation_data.nla_tracks
    for obj in (head, bpy.data.objects["Lashes"]):
        names = obj.data.shape_keys.key_blocks.keys()
        assert "LSF blink" not in names and {"eyeBlinkLeft", "eyeBlinkRight"} <= set(names)
    drivers = bpy.data.objects["Lashes"].data.shape_keys.animation_data.drivers
    assert len(drivers) and not any("LSF blink" in driver.data_path for driver in drivers)


def test_between_the_lines_the_face_rests(head):
    lines_of_0_1.take_over(head)
    for frame in (1, 15, 150, 180, 320):
        bpy.context.scene.frame_set(frame)
        assert all(abs(key.value) < 1e-6 for key in head.data.shape_keys.key_blocks[1:]), frame


def test_sliders_keys_and_strips_stay(head):
    lines_of_0_1.take_over(head)
    action = actions.existing(head.data)
    one, two = sorted(lines_of(action), key=lambda record: record.first_frame)
    assert (one.name, one.first_frame, one.frames) == ("one", 25, 96)
    assert (two.name, two.first_frame) == ("two", 200)
    assert one.tweaks.jaw == pytest.approx(1.4) and two.tweaks.jaw == 1
    ranges = lines.edits(action, one).ranges
    assert list(ranges) == ['key_blocks["jawOpen"].value']
    ((first, last),) = ranges['key_blocks["jawOpen"].value']
    assert abs(first - HAND_KEY) < 3 and first == last
    curve = next(curve for curve in compat.fcurves_of(action) if "jawOpen" in curve.data_path)
    assert curve.evaluate(first) == pytest.approx(0.77, abs=1e-4)
    assert not lines.edits(action, two).ranges
    assert state(lines.source_of(one)) is not State.GONE
    assert state(lines.source_of(two)) is State.GONE  # no strip has this name any more


def test_their_sliders_work_and_they_can_be_removed(head):
    lines_of_0_1.take_over(head)
    action = actions.existing(head.data)
    one, two = sorted(lines_of(action), key=lambda record: record.first_frame)
    bpy.context.scene.frame_set(65)  # the lids are shut by a blink
    blinks = head.data.shape_keys.key_blocks["eyeBlinkRight"].value
    assert blinks > 0.9
    one.tweaks.blinks = 0.0
    bpy.context.scene.frame_set(65)
    assert head.data.shape_keys.key_blocks["eyeBlinkRight"].value < 0.05
    lines.remove(head.data, action, two)
    assert np.abs(moved(head, range(210, 290, 10))).max() < 1e-6


def test_an_action_that_the_artist_has_renamed_is_left_alone(head):
    theirs = next(action for action in bpy.data.actions if action.name.startswith("LSF · two"))
    theirs.name = "my take"
    before = {curve.data_path: len(curve.keyframe_points) for curve in compat.fcurves_of(theirs)}
    assert lines_of_0_1.take_over(head) == 1
    assert {curve.data_path: len(curve.keyframe_points) for curve in compat.fcurves_of(theirs)} == before
    assert any(
        strip.action == theirs for track in head.data.shape_keys.animation_data.nla_tracks for strip in track.strips
    )
