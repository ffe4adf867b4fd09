"""Cancel the running generation."""

import bpy

from ...jobs import session
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_cancel(bpy.types.Operator):
    """Stop the generation.

    Lines of a batch that are already finished are kept. Esc does the same.
    """

    bl_idname = "lsf.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    line: bpy.props.IntProperty(
        name="Line", description="Line of the batch to cancel. -1 cancels all", default=-1, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if session.batch is None:
            return enabled_unless(cls, "No generation is running.")
        return True

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        if (batch := session.batch) is not None:
            batch.cancel(batch.items[self.line] if 0 <= self.line < len(batch.items) else None)
        session.redraw()
        return {"FINISHED"}
