"""A full copy of a scene copies head, strip and Action: the copy's lines are those of its own strips."""

import bpy
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions
from lsf_blender_addon.scene.own_properties import lines_of
from tests.lsf_blender_addon.fake_client import Client, use


@pytest.fixture
def copied(addon, add_strip, clicks, monkeypatch):
    """The head of a scene with one line, and the head of the scene's full copy, which is active."""
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    use(addon, monkeypatch, Client())
    bpy.ops.lsf.generate()
    first = bpy.context.window.scene
    bpy.ops.scene.new(type="FULL_COPY")
    second = bpy.context.window.scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = second
    assert second != first
    copy = next(obj for obj in second.objects if obj.type == "MESH")
    bpy.context.view_layer.objects.active = copy
    return head, copy


def test_generate_in_the_copy_replaces_the_copys_line(copied):
    head, copy = copied
    theirs = actions.existing(head.data)
    before = [tuple(record.window) for record in lines_of(theirs)]
    strip = compat.all_strips(bpy.context.scene.sequence_editor)[0]
    strip.frame_start += 50
    bpy.ops.lsf.generate()
    own = actions.existing(copy.data)
    assert own != theirs and len(lines_of(own)) == 1
    assert lines_of(own)[0].first_frame == lines_of(theirs)[0].first_frame + 50
    assert [tuple(record.window) for record in lines_of(theirs)] == before


def test_both_heads_keep_their_lines(copied):
    head, copy = copied
    uids = {lines_of(actions.existing(obj.data))[0].uid for obj in (head, copy)}
    bpy.ops.lsf.generate()
    assert {lines_of(actions.existing(obj.data))[0].uid for obj in (head, copy)} == uids
