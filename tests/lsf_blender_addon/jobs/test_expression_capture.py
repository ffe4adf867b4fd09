"""The artist's face as channels: every maker's keys give back the channels that they follow, on their side."""

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES, keys_of
from lsf_blender_addon import compat
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from lsf_blender_addon.jobs import bone_poses, expression_capture
from lsf_blender_addon.rigs import families, pose_channels
from lsf_blender_addon.scene import rig
from server.face.head import load_head
from tests.lsf_blender_addon.animation.test_bone_actions import add_armature

CHANNELS = families.channels()
SMALL = {  # makers, and channels for whose sides they have keys
    "Unified Expressions": ("mouthSmileLeft", "browDownRight", "jawOpen"),
    "Genesis 8": ("eyeBlinkLeft", "browDownRight"),
    "VRM": ("eyeBlinkLeft",),
    "SRanipal": ("mouthSmileLeft", "jawOpen"),
}


def test_bounded_values_by_hand():
    one = pose_channels.bounded_values(np.array([[0.5], [0.5]]), np.array([0.6]))
    np.testing.assert_allclose(one, [0.6, 0.6], atol=1e-9)  # a key of both lids gives both the same
    np.testing.assert_allclose(
        pose_channels.bounded_values(np.array([[1.0], [-1.0]]), np.array([-0.4])), [0, 0.4], atol=1e-9
    )  # one key to the left and to the right
    np.testing.assert_allclose(pose_channels.bounded_values(np.array([[1.0, 0.6]]), np.array([1.0, 0.6])), [1.0])
    np.testing.assert_allclose(pose_channels.bounded_values(np.array([[1.0]]), np.array([3.0])), [1.0])
    assert pose_channels.bounded_values(np.zeros((0, 2)), np.zeros(2)).shape == (0,)


@pytest.mark.parametrize("family", SMALL)
def test_a_makers_keys_give_back_the_channels(addon, family):
    head = characters.with_keys(FAMILIES[family], keys_of(family))
    wanted = dict(zip(SMALL[family], (0.8, 0.5, 0.3), strict=False))
    mapping = rig.mapping_of(head)
    values = np.array([wanted.get(channel, 0.0) for channel in CHANNELS]) @ mapping.gains(CHANNELS)
    for name, value in zip(mapping.direct, values.tolist(), strict=True):
        head.data.shape_keys.key_blocks[name].value = value
    found = expression_capture.of_pose(head)
    assert found.weights == pytest.approx(wanted, abs=0.01) and not found.note


def test_the_other_keys_of_a_head_are_told_by_their_shapes(addon):
    """A corrective of the artist that no maker knows, on a head whose other keys have the names of channels."""
    basis = load_head().basis
    bpy.ops.lsf.add_head()
    head = bpy.context.object
    rest = load_head().vertices
    head.shape_key_add(name="Basis", from_mix=False)

    def add(name, offsets):
        block = head.shape_key_add(name=name, from_mix=False)
        block.points.foreach_set("co", (rest + offsets).astype(np.float32).ravel())
        block.value = 0.0

    for channel in ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawOpen"):
        add(channel, basis[CHANNELS.index(channel)])
    add("My Smirk", 0.7 * basis[CHANNELS.index("mouthSmileLeft")] + 0.4 * basis[CHANNELS.index("browInnerUp")])
    add("Ears", np.where(rest[:, :1] > 0.05, [[0, 0.02, 0.0]], 0.0))
    blocks = head.data.shape_keys.key_blocks
    with pytest.raises(UserError, match="at rest"):
        expression_capture.of_pose(head)
    blocks["My Smirk"].value, blocks["jawOpen"].value = 1.0, 0.5
    found = expression_capture.of_pose(head)
    assert found.weights == pytest.approx({"mouthSmileLeft": 0.7, "browInnerUp": 0.4, "jawOpen": 0.5}, abs=0.02)
    assert not found.note
    blocks["My Smirk"].value, blocks["Ears"].value = 0.0, 1.0
    assert "Ears" in expression_capture.of_pose(head).note
    blocks["jawOpen"].mute = True
    with pytest.raises(UserError):
        expression_capture.of_pose(head)


def test_a_frame_of_an_action_and_what_it_leaves_out(addon):
    head = characters.with_keys(FAMILIES["Unified Expressions"], keys_of("Unified Expressions"))
    blocks = head.data.shape_keys.key_blocks
    for frame, value in ((1, 0.0), (11, 1.0)):
        blocks["JawLeft"].value = value
        blocks["JawLeft"].keyframe_insert("value", frame=frame)
    action = head.data.shape_keys.animation_data.action
    for curve in compat.fcurves_of(action):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    head.data.shape_keys.animation_data_clear()
    blocks["JawLeft"].value, blocks["JawOpen"].value = 0.0, 1.0
    assert expression_capture.of_action(head, action, 6).weights == pytest.approx({"jawLeft": 0.5}, abs=1e-3)
    assert blocks["JawOpen"].value == 1 and blocks["JawLeft"].value == 0, "the head is as it was"
    with pytest.raises(UserError, match="moves nothing of this face at frame 1"):
        expression_capture.of_action(head, action, 1)


def test_bones_show_their_channels_in_the_pose_and_in_an_action(addon):
    armature = add_armature()
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    bpy.context.scene.lsf.head = head
    head.lsf.bones.armature = armature
    jaw = armature.pose.bones["jaw"]
    jaw.rotation_mode, jaw.rotation_euler = "XYZ", (0.4, 0, 0)
    bone_poses.set_pose(bpy.context, head, "jawOpen")
    jaw.location = (0.02, 0, 0)
    bone_poses.set_pose(bpy.context, head, "jawLeft")
    jaw.rotation_euler, jaw.location = (0.1, 0, 0), (0.01, 0, 0)
    assert expression_capture.of_pose(head).weights == pytest.approx({"jawOpen": 0.25, "jawLeft": 0.5}, abs=1e-3)
    jaw.keyframe_insert("rotation_euler", frame=3)
    action = armature.animation_data.action
    armature.animation_data_clear()
    jaw.rotation_euler, jaw.location = (0, 0, 0), (0, 0, 0)
    assert expression_capture.of_action(head, action, 3).weights == pytest.approx({"jawOpen": 0.25}, abs=1e-3)


def test_an_action_of_bones_that_drive_keys(addon):
    head = characters.with_keys(FAMILIES["Unified Expressions"], keys_of("Unified Expressions"))
    armature = add_armature()
    head.parent = armature
    bone = armature.pose.bones["jaw"]
    block = head.data.shape_keys.key_blocks["MouthCornerPullLeft"]
    driver = block.driver_add("value").driver
    driver.type, variable = "AVERAGE", driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].bone_target = armature, "jaw"
    variable.targets[0].transform_type, variable.targets[0].transform_space = "LOC_X", "LOCAL_SPACE"
    bone.location.x = 0.6
    bone.keyframe_insert("location", frame=1)
    action = armature.animation_data.action
    armature.animation_data_clear()
    bone.location.x = 0
    bpy.context.view_layer.update()
    found = expression_capture.of_action(head, action, 1).weights
    assert found.get("mouthSmileLeft") == pytest.approx(0.6, abs=0.05) and "mouthSmileRight" not in found
    assert bone.location.x == 0 and block.value == pytest.approx(0, abs=1e-6)


def test_a_row_of_a_recording(addon, tmp_path):
    values = np.zeros((3, 2), np.float32)
    values[1] = 0.5, 0.25
    path = tmp_path / "take.csv"
    live_link.write(path, Curves(["mouthSmileRight", "jawOpen"], np.arange(3) / 60, values), 60)
    assert expression_capture.of_recording(str(path), 2).weights == {"jawOpen": 0.25, "mouthSmileRight": 0.5}
    for row, words in ((1, "at rest in this row"), (4, "3 rows"), (0, "3 rows")):
        with pytest.raises(UserError, match=words):
            expression_capture.of_recording(str(path), row)
