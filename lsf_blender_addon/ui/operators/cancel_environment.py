"""Cancel the installation of the server's environment."""

import bpy

from ...jobs import environment
from .poll import enabled_unless


class LSF_OT_cancel_environment(bpy.types.Operator):
    """Stop the installation. What was installed earlier has to be installed again"""

    bl_idname = "lsf.cancel_environment"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not environment.installing():
            return enabled_unless(cls, "No installation is at work.")
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        environment.installation.cancel()
        return {"FINISHED"}
