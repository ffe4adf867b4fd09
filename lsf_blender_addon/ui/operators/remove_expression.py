"""Remove Expression: takes an expression out of the head's bank; asks first if it is keyed."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import expression_bank_edits
from ...errors import UserError
from ...jobs import session
from ...scene import expression_keys
from ...scene.expression_keys import Use
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from ..text import wrapped
from .poll import enabled_unless, linked_reason

SHOWN_FRAMES = 5  # of the keys of an expression, in a sentence


class LSF_OT_remove_expression(bpy.types.Operator):
    """Remove the expression from the head's bank.

    Where it is keyed, the emotion of the audio is shown then.
    """

    bl_idname = "lsf.remove_expression"
    bl_label = "Remove Expression"
    bl_options = {"REGISTER", "UNDO"}

    keyed: bpy.props.BoolProperty(
        name="Though Keyed",
        description="Remove it though it is chosen or keyed as the emotion",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not len(face_of(head).bank):
            return enabled_unless(cls, "The bank is empty.")
        return enabled_unless(cls, linked_reason(head))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask if the expression is in use."""
        if not _where(context):
            return self.execute(context)
        self.keyed = True
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout is not None
        wrapped(self.layout, context, _where(context), "ERROR")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head, where = require_head(context), _where(context)
        if where and not self.keyed:
            self.report({"ERROR"}, f"{where}. {iface('Remove its keys first')}.")
            return {"CANCELLED"}
        face = face_of(head)
        row = face.bank[min(max(face.active_expression, 0), len(face.bank) - 1)]
        try:
            name = expression_bank_edits.remove(head, row.number)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say(iface("{name} was removed from the bank").format(name=name))
        return {"FINISHED"}


def _where(context: bpy.types.Context) -> str:
    """Return where the active expression is keyed or chosen, a sentence without its full stop; empty for nowhere."""
    head = require_head(context)
    face = face_of(head)
    row = face.bank[min(max(face.active_expression, 0), len(face.bank) - 1)]
    uses = expression_keys.uses(head, row.number)
    places = ", ".join(_place(use) for use in uses)
    return iface("{name} is the emotion in {places}").format(name=row.name, places=places) if uses else ""


def _place(use: Use) -> str:
    """Return the name of a scene, and the first frames of the keys in it."""
    if not use.frames:
        return use.scene
    frames = ", ".join(map(str, use.frames[:SHOWN_FRAMES])) + (" …" if len(use.frames) > SHOWN_FRAMES else "")
    return iface("{scene} (frames {frames})").format(scene=use.scene, frames=frames)
