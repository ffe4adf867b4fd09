"""Open one of the add-on's logs."""

import bpy

from ...jobs import environment


class LSF_OT_open_log(bpy.types.Operator):
    """Open the log in the program that your system has for text files"""

    bl_idname = "lsf.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    log: bpy.props.EnumProperty(
        items=[
            ("SERVER", "Server", "What the server wrote"),
            ("INSTALL", "Installation", "What the installation wrote"),
        ]
    )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        path = environment.server_log() if self.log == "SERVER" else environment.install_log()
        if not path.is_file():
            self.report({"INFO"}, "There is no log yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(path))
