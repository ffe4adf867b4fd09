"""Clear: forgets the pose of a channel."""

import bpy

from ...jobs import bone_poses
from ..blender_types import OperatorResult
from ..head import require_head
from .all_or_nothing import all_or_nothing
from .poll import enabled_with_head


class LSF_OT_clear_bones(bpy.types.Operator):
    """Let the channel move no bones any more.

    Shape keys show it from the next Generate on.
    """

    bl_idname = "lsf.clear_bones"
    bl_label = "Clear"
    bl_options = {"REGISTER", "UNDO"}

    channel: bpy.props.StringProperty(name="Channel", description="Channel that moved bones", options=set())

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        bone_poses.clear(require_head(context), self.channel)
        return {"FINISHED"}
