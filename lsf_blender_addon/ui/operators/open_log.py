"""Open one of the add-on's logs."""

import bpy

from ...jobs import environment
from ..blender_types import OperatorResult


class LSF_OT_open_log(bpy.types.Operator):
    """Open the log in the system's program for text files."""

    bl_idname = "lsf.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    log: bpy.props.EnumProperty(
        name="Log",
        items=[
            ("SERVER", "Speech Engine", "Log of the speech engine"),
            ("INSTALL", "Installation", "Log of the installation"),
        ],
    )

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        path = environment.server_log() if self.log == "SERVER" else environment.install_log()
        if not path.is_file():
            self.report({"INFO"}, "There is no log yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(path))
