"""Load Bank: adds the expressions of a file to the head's bank."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ImportHelper

from ...animation import expression_bank_edits
from ...client.wire import read_expressions
from ..blender_types import OperatorResult
from ..head import require_head
from . import entry_files
from .poll import enabled_with_head


class LSF_OT_load_expressions(bpy.types.Operator, ImportHelper):  # type: ignore[misc]  # the stubs differ in invoke
    """Add the expressions of a JSON file to the head's bank.

    Those of the same name are replaced: keys of the emotion mean the new ones then.
    """

    bl_idname = "lsf.load_expressions"
    bl_label = "Load Bank"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        def add(path: Path) -> str:
            added = expression_bank_edits.add_all(require_head(context), read_expressions(path), replace=True)
            return iface("{count} expressions loaded").format(count=len(added))

        return entry_files.load(self, self.filepath, add)
