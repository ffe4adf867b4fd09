"""Parts follow the head through drivers; what the artist drives stays so. More in scene/test_character.py."""

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines, part_drivers
from lsf_blender_addon.scene.own_properties import lines_of
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

SMILE = 'key_blocks["mouthSmileLeft"].value'


class Solemn(Client):
    """Nobody smiles, but the Smile slider may add a smile later."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        job.arrays["motion"][:, CHANNELS.index("mouthSmileLeft")] = 0
        return job


@pytest.fixture
def teeth(addon, add_strip, clicks, monkeypatch):
    """A part of the active head, after a first run."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    bpy.ops.mesh.primitive_cube_add()
    teeth = bpy.context.object
    bpy.context.view_layer.objects.active = head
    head.lsf.add_part(teeth)
    use(addon, monkeypatch, Solemn())
    bpy.ops.lsf.generate()
    return teeth


def test_keys_follow_the_head_that_do_not_move_yet(teeth):
    keys, head = teeth.data.shape_keys, bpy.context.object.data.shape_keys
    assert "mouthSmileLeft" in part_drivers.followed_keys(teeth.data)
    head.key_blocks["mouthSmileLeft"].value = 0.5
    bpy.context.view_layer.update()
    assert keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.5)


def test_a_driver_without_variables_stays_the_artists(teeth):
    keys = teeth.data.shape_keys
    keys.driver_remove(SMILE)
    theirs = keys.driver_add(SMILE).driver
    theirs.type, theirs.expression = "SCRIPTED", "0.25"
    bpy.ops.lsf.generate()
    theirs = keys.animation_data.drivers.find(SMILE).driver
    assert (theirs.type, theirs.expression, len(theirs.variables)) == ("SCRIPTED", "0.25", 0)


@pytest.mark.skipif(not compat.has_slots(), reason="an Action animates one type of data-block before Blender 4.4")
def test_a_part_follows_that_shares_an_action_with_the_head(teeth):
    """The Action has a curve of that name for another data-block, and none for the part."""
    keys = teeth.data.shape_keys
    keys.driver_remove(SMILE)
    action = bpy.data.actions.new("everybody")
    compat.key_fcurves(action).new(SMILE)
    keys.animation_data.action = action
    keys.animation_data.action_slot = action.slots.new(id_type="KEY", name="teeth")
    assert "mouthSmileLeft" not in part_drivers.read(teeth).driven


@pytest.mark.skipif(not compat.has_slots(), reason="before Blender 4.4, a part has no Action")
def test_a_part_plays_the_action_of_its_head_with_a_slot_of_its_own(teeth):
    """So exporters take it along; its one curve cannot be missing a key, and the drivers decide the values."""
    head, data = bpy.context.object, teeth.data.shape_keys.animation_data
    action = actions.existing(head.data)
    assert data.action == action and data.action_slot != head.data.shape_keys.animation_data.action_slot
    assert len(compat.played_fcurves(data)) == 1 and actions.existing(teeth.data) is None
    bpy.ops.lsf.generate()
    assert [slot.target_id_type for slot in action.slots] == ["KEY", "KEY"]
    for frame in range(30, 120, 10):
        bpy.context.scene.frame_set(frame)
        for key in teeth.data.shape_keys.key_blocks[1:]:
            assert key.value == pytest.approx(head.data.shape_keys.key_blocks[key.name].value, abs=1e-3)
    lines.remove(head.data, action, lines_of(action)[0])
    assert data.action is None and not bpy.data.actions


@pytest.mark.skipif(not compat.has_slots(), reason="before Blender 4.4, a part has no Action")
def test_a_part_that_the_artist_has_animated_keeps_its_action(teeth):
    data = teeth.data.shape_keys.animation_data
    data.action = theirs = bpy.data.actions.new("mine")
    bpy.ops.lsf.generate()
    assert data.action == theirs
