"""Hide the Check: takes the list of Check Character out of the panel."""

import bpy

from ...jobs import checkup, session
from ..blender_types import OperatorResult


class LSF_OT_hide_check(bpy.types.Operator):
    """Close the list. Check Character shows it again."""

    bl_idname = "lsf.hide_check"
    bl_label = "Hide the Check"

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        checkup.forget()
        session.redraw()
        return {"FINISHED"}
