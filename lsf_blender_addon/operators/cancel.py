"""Cancel the generation at work."""

import bpy

from .. import session


class LSF_OT_cancel(bpy.types.Operator):
    """Stop the generation. Nothing is changed. Esc does the same"""

    bl_idname = "lsf.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if session.batch is None:
            cls.poll_message_set("No generation is at work.")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        session.batch.cancel()
        session.redraw()
        return {"FINISHED"}
