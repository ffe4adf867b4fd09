"""Cancel the generation at work."""

import bpy

from ...jobs import session
from .poll import enabled_unless


class LSF_OT_cancel(bpy.types.Operator):
    """Stop the generation. Lines that are done already are written, unless it is only one. Esc does the same"""

    bl_idname = "lsf.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    line: bpy.props.IntProperty(
        name="Line", description="Which line of the batch to give up; -1: all", default=-1, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if session.batch is None:
            return enabled_unless(cls, "No generation is at work.")
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        items = session.batch.items
        session.batch.cancel(items[self.line] if 0 <= self.line < len(items) else None)
        session.redraw()
        return {"FINISHED"}
