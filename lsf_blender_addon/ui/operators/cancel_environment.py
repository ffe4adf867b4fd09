"""Cancel the installation of the speech engine."""

import bpy

from ...jobs import environment
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_cancel_environment(bpy.types.Operator):
    """Cancel the installation.

    What was downloaded is kept for the next time.
    """

    bl_idname = "lsf.cancel_environment"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not environment.installing():
            return enabled_unless(cls, "No installation is running.")
        return True

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        if environment.installation is not None:
            environment.installation.cancel()
        return {"FINISHED"}
