"""Save Bank: writes the expressions of a head as a file, for other heads, files and the command line."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ExportHelper

from ...client.wire import expressions_text
from ...scene import expression_bank
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from . import entry_files
from .poll import enabled_unless


class LSF_OT_save_expressions(bpy.types.Operator, ExportHelper):  # type: ignore[misc]  # the stubs differ in invoke
    """Save the expressions of the head's bank as a small JSON file."""

    bl_idname = "lsf.save_expressions"
    bl_label = "Save Bank"

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    if TYPE_CHECKING:
        filepath: str  # a property of ExportHelper

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        return enabled_unless(cls, "" if head and len(face_of(head).bank) else "The bank is empty.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        found = [entry.expression for entry in expression_bank.entries(require_head(context))]
        said = iface("{count} expressions saved").format(count=len(found))
        return entry_files.save(self, self.filepath, expressions_text(found), said)
