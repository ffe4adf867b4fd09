"""Remove Head Motion: removes what nods with the voice."""

import bpy

from ...animation import head_motion
from ...scene.head_motion import find_constraint
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_with_head


class LSF_OT_remove_head_motion(bpy.types.Operator):
    """Remove the head motion of all lines of the head.

    Your own animation is kept.
    """

    bl_idname = "lsf.remove_head_motion"
    bl_label = "Remove Head Motion"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        nod = face_of(require_head(context)).nod
        if find_constraint(nod.object, nod.bone) is None:
            self.report({"INFO"}, "This head has no head motion.")
            return {"CANCELLED"}
        head_motion.remove(nod.object, nod.bone)
        return {"FINISHED"}
