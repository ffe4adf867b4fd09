"""Set: keeps the pose of the armature as that of a channel."""

import bpy

from ...errors import UserError
from ...jobs import bone_poses
from ...scene import bones
from ..blender_types import OperatorResult
from ..head import require_head
from .all_or_nothing import all_or_nothing
from .poll import enabled_with_head


class LSF_OT_set_bones(bpy.types.Operator):
    """Keep the present pose of the selected bones as that in which the channel is at its full value.

    The bones then go back to rest. Lines that are generated already follow.
    """

    bl_idname = "lsf.set_bones"
    bl_label = "Set"
    bl_options = {"REGISTER", "UNDO"}

    channel: bpy.props.StringProperty(
        name="Channel", description="Channel that the pose shows. Leave empty for the one in the panel", options=set()
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        try:
            text = bone_poses.set_pose(context, head, self.channel or bones.settings(head).channel)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{text}.")
        return {"FINISHED"}
