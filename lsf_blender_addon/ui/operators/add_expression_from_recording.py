"""Add to Bank from Recording: a row of a Live Link Face file becomes an expression."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy_extras.io_utils import ImportHelper

from ...jobs import expression_capture
from ...jobs.expression_capture import Face
from .add_expression import AddsExpression


class LSF_OT_add_expression_from_recording(AddsExpression, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Add the face in a row of a Live Link Face recording to the head's bank."""

    bl_idname = "lsf.add_expression_from_recording"
    bl_label = "Add to Bank from Recording"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    row: bpy.props.IntProperty(
        name="Row", description="Number of the row. Rows without a face do not count", default=1, min=1
    )

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def face(self, context: bpy.types.Context) -> Face:
        self.name = self.name or f"{Path(self.filepath).stem} {self.row}"
        return expression_capture.of_recording(self.filepath, self.row)
