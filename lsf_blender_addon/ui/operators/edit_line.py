"""Edit: keeps a line of the list in the panels."""

import bpy

from ...jobs import line_list
from ..blender_types import OperatorResult
from .line_poll import disabled_reason
from .poll import enabled_unless


class LSF_OT_edit_line(bpy.types.Operator):
    """Keep this line in the panels, whichever strip you select: its strip goes into the field Strip."""

    bl_idname = "lsf.edit_line"
    bl_label = "Edit"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context, change=False))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head, line = line_list.require_line(context)
        line_list.show(context, line, line_list.status_of(head, line), fill_field=True)
        return {"FINISHED"}
