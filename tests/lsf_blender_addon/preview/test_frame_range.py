"""The frames that Preview plays and Playblast renders."""

import bpy

from lsf_blender_addon.preview import frame_range


def test_frames_of_the_head_then_of_the_strip(addon, add_strip, clicks):
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert frame_range.find_frame_range(bpy.context, cube)[1:] == (scene.frame_start, scene.frame_end, "Cube")
    add_strip(clicks, "line", 25)
    assert frame_range.find_frame_range(bpy.context, cube)[1:] == (25, 120, "line")


def test_a_chosen_strip_is_followed(addon, add_strip, clicks):
    bpy.ops.mesh.primitive_cube_add()
    strip = add_strip(clicks, "line", 25)
    scene = strip.id_data
    scene.lsf.strip = "line"
    strip.name, strip.frame_start = "another name", 60
    found = frame_range.find_frame_range(bpy.context, bpy.data.objects["Cube"])
    assert found == (scene, 60, 155, "another name")
