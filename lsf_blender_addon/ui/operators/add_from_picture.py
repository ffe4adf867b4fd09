"""Add to Bank from Picture: the dialog in which the picture is picked, and the operator that reads it."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ImportHelper

from ...animation import expression_bank_edits
from ...client.causes import DAMAGED
from ...client.wire import Expression, ExpressionError
from ...errors import UserError
from ...jobs import session
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.read_picture import PictureReading
from ...scene import expression_bank, pictures
from ...scene.access import find_item
from ..blender_types import OperatorResult
from ..head import require_head, usable_head
from .batch_modal import BatchModal, run_after_dialog
from .poll import disabled_reason_busy, enabled_unless

SHOWN = 3  # channels that the message names


class PictureOptions:
    """Mixin with the properties of both operators."""

    name: bpy.props.StringProperty(
        name="Name", description="Name of the expression. Without one, it gets that of the file"
    )
    neutral: bpy.props.StringProperty(
        name="Neutral Picture",
        description="A picture of the same person with a neutral face, from about the same side. What is the person's "
        "own is then left out",
        subtype="FILE_PATH",
    )


class LSF_OT_add_from_picture(PictureOptions, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Read the expression of the face in a photograph or drawing, and add it to the bank.

    The picture must show one face, best from the front.
    """

    bl_idname = "lsf.add_from_picture"
    bl_label = "Add to Bank from Picture"

    filter_glob: bpy.props.StringProperty(
        default="*.png;*.jpg;*.jpeg;*.webp;*.tif;*.tiff;*.bmp;*.tga;*.exr", options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Start the reading: with progress from the dialog; a script waits for its end."""
        return run_after_dialog(self, "read_picture", filepath=self.filepath, neutral=self.neutral, name=self.name)


class LSF_OT_read_picture(PictureOptions, BatchModal, bpy.types.Operator):
    """Read the expression of the face in a picture, without blocking Blender. The dialog starts it."""

    bl_idname = "lsf.read_picture"
    bl_label = "Read Picture"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head = require_head(context)
        expression_bank_edits.check(head)
        picture = pictures.load(self.filepath)
        neutral = pictures.load(self.neutral) if self.neutral else None
        self._head = head.name
        return [Item(head.name, lambda: PictureReading(session.client(), picture, neutral))]

    def write(self, item: Item) -> str:
        reading = item.work
        assert isinstance(reading, PictureReading)
        head = find_item(bpy.data.objects, self._head)
        if head is None:
            raise UserError("The head was deleted or renamed: try again")
        weights = reading.weights
        if not weights:
            raise UserError("The face in the picture is neutral: nothing was added")
        wanted = self.name.strip() or Path(self.filepath).stem
        free = expression_bank.free_name(wanted, expression_bank.names(head).values())
        try:
            name = expression_bank_edits.add(head, Expression(free, weights))
        except ExpressionError as error:  # an unknown channel
            raise UserError(DAMAGED.rstrip(".")) from error
        shown = ", ".join(f"{channel} {weight:.0%}" for channel, weight in list(weights.items())[:SHOWN])
        return iface('"{name}" was added: {channels}').format(name=name, channels=shown)


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Add to Bank from Picture is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    try:
        usable_head(context)
    except UserError as error:
        return f"{error}."
    return f"{NOT_INSTALLED}." if server_python() is None else ""
