"""The bones that channels move, in the panel of the face."""

from typing import TYPE_CHECKING

import bpy

from ...jobs import bone_poses
from ...scene import bones
from ..blender_types import IconItems
from ..text import wrapped
from .common import RowList, Tab, chosen_head

if TYPE_CHECKING:
    from ..properties.bones import LSF_PG_bone_pose


class LSF_UL_bones(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_bone_pose") -> None:
        head = item.id_data
        assert isinstance(head, bpy.types.Object)
        armature, settings = bones.armature_of(head), bones.settings(head)
        row = layout.split(factor=0.5)
        row.label(text=item.channel, translate=False)
        right = row.row(align=True)
        name = right.row()
        name.alert = armature is not None and item.bone not in armature.pose.bones
        name.label(text=item.bone, translate=False)
        eye: IconItems = "HIDE_OFF" if settings.shown == item.channel else "HIDE_ON"
        buttons: list[tuple[str, IconItems]] = [
            ("lsf.set_bones", "CHECKMARK"),
            ("lsf.show_bones", eye),
            ("lsf.clear_bones", "X"),
        ]
        for operator, icon in buttons:
            right.operator(operator, text="", icon=icon, emboss=False).channel = item.channel


class LSF_PT_view3d_bones(Tab, bpy.types.Panel):
    bl_label = "Bones"
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_face"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        settings = bones.settings(head)
        layout.prop(settings, "armature", text="")
        armature = bones.armature_of(head)
        if armature is None:
            wrapped(layout, context, "Choose the armature if bones move the jaw or more of the face", "INFO")
            return
        layout.operator("lsf.recognise_bones", icon="PRESET")
        row = layout.row(align=True)
        row.prop(settings, "channel", text="", icon="BONE_DATA")
        row.operator("lsf.set_bones", icon="CHECKMARK").channel = ""
        if len(settings.rows):
            layout.template_list("LSF_UL_bones", "", settings, "rows", settings, "active_row", rows=4)
        else:
            wrapped(layout, context, "Pose the bones as they are at the channel's full value, then press Set", "INFO")
        for finding in bone_poses.check(head, None):
            if finding.level != "OK":
                wrapped(layout, context, finding.text, "ERROR" if finding.level == "FAULT" else "INFO")
