"""Copy a report for the add-on's maintainers."""

import bpy

from ...jobs import health
from ..blender_types import OperatorResult


class LSF_OT_copy_report(bpy.types.Operator):
    """Copy what the maintainers need to know: versions, device, settings, the last error and the end of the log.

    The names of the user, folders, files and objects are replaced. Nothing is sent: you paste it where you
    ask for help.
    """

    bl_idname = "lsf.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        context.window_manager.clipboard = health.report_text(context)
        self.report({"INFO"}, "The report is copied: paste it where you ask for help.")
        return {"FINISHED"}
