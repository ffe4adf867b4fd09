"""Show: poses the bones as they are where a channel is 1, or lets them stand as before."""

import bpy

from ...errors import UserError
from ...jobs import bone_poses
from ...scene import bones
from ..blender_types import OperatorResult
from ..head import require_head
from .all_or_nothing import all_or_nothing
from .poll import enabled_with_head


class LSF_OT_show_bones(bpy.types.Operator):
    """Show the pose of the channel at its full value, or let the bones go back."""

    bl_idname = "lsf.show_bones"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}

    channel: bpy.props.StringProperty(name="Channel", description="Channel whose pose is shown", options=set())

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        try:
            if bones.settings(head).shown == self.channel:
                bone_poses.hide(head)
            else:
                bone_poses.show(head, self.channel)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        return {"FINISHED"}
