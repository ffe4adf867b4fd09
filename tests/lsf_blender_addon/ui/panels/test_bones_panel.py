"""The Bones panel: what it asks for, what it lists, and what it warns of."""

import bpy
import pytest

from lsf_blender_addon.scene import bones
from lsf_blender_addon.scene.snapshots import BonePose
from lsf_blender_addon.ui.panels.bones import LSF_PT_view3d_bones
from tests.lsf_blender_addon.animation.test_bone_actions import add_armature
from tests.lsf_blender_addon.ui.panels.test_draw import draw


@pytest.fixture
def head(addon) -> bpy.types.Object:
    add_armature()
    bpy.ops.mesh.primitive_cube_add()
    return bpy.context.object


def test_the_panel_leads_from_the_armature_to_the_list(head):
    texts = draw([LSF_PT_view3d_bones])
    assert "Choose the armature if bones move the jaw or more of the face" in " ".join(texts)
    head.lsf.bones.armature = bpy.data.objects["Rig"]
    texts = " ".join(draw([LSF_PT_view3d_bones]))
    assert "Recognise Bones" in texts and "then press Set" in texts and '"Rig" has bones of a face' in texts
    bones.store(head, "jawOpen", [BonePose("jawOpen", "jaw", rotation=(0.3, 0, 0))])
    texts = draw([LSF_PT_view3d_bones])
    assert {"jawOpen", "jaw"} <= set(texts) and "then press Set" not in " ".join(texts)


def test_the_panel_warns_of_bones_that_are_gone_and_follows_the_armature(head):
    rig = bpy.data.objects["Rig"]
    head.lsf.bones.armature = rig
    bones.store(head, "jawOpen", [BonePose("jawOpen", "jaw", rotation=(0.3, 0, 0))])
    rig.data.bones["jaw"].name = "mandible"
    bpy.context.view_layer.objects.active = rig
    texts = " ".join(draw([LSF_PT_view3d_bones]))
    assert "Bones that channels should move are gone or were renamed: jaw" in texts
