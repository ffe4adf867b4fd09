"""Load, save and remove style cards."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...animation import style_card_edits
from ...client.wire import StyleCard
from ...scene import style_cards
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from . import entry_files
from .poll import enabled_unless, enabled_with_head, linked_reason


class LSF_OT_load_style(bpy.types.Operator, ImportHelper):  # type: ignore[misc]  # the stubs differ in invoke
    """Add the style card of a JSON file to the head."""

    bl_idname = "lsf.load_style"
    bl_label = "Load Style Card"
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
            name = style_card_edits.add(require_head(context), StyleCard.load(path))
            return iface("The style card {name} was loaded").format(name=name)

        return entry_files.load(self, self.filepath, add)


class LSF_OT_save_style(bpy.types.Operator, ExportHelper):  # type: ignore[misc]  # the stubs differ in invoke
    """Save the active style card as a small JSON file, for other heads, files and the command line."""

    bl_idname = "lsf.save_style"
    bl_label = "Save Style Card"

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    if TYPE_CHECKING:
        filepath: str  # a property of ExportHelper

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, "" if _active(find_head(context)) else "The head has no style card.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        card = _active(require_head(context))
        assert card is not None  # poll
        said = iface("The style card {name} was saved").format(name=card.name)
        return entry_files.save(self, self.filepath, card.text(), said)


class LSF_OT_remove_style(bpy.types.Operator):
    """Remove the active style card from the head. Lines that were generated with it stay."""

    bl_idname = "lsf.remove_style"
    bl_label = "Remove Style Card"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not len(face_of(head).styles):
            return enabled_unless(cls, "The head has no style card.")
        return enabled_unless(cls, linked_reason(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        face = face_of(head)
        style_card_edits.remove(head, min(face.active_style, len(face.styles) - 1))
        return {"FINISHED"}


def _active(head: bpy.types.Object | None) -> StyleCard | None:
    """The active card of a head; None if there is none that can be read."""
    if head is None:
        return None
    face = face_of(head)
    return style_cards.card(face.styles[face.active_style]) if 0 <= face.active_style < len(face.styles) else None
