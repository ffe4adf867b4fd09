"""Copy Bank: gives the chosen head the expressions of another one."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import expression_bank_edits
from ...errors import UserError
from ...jobs import session
from ...scene.access import find_item
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless, enabled_with_head

_items: list[tuple[str, str, str]] = []  # keeps the strings of the enum alive, to which Blender holds no reference


def _heads(_operator: bpy.types.Operator | None, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """Return the items of the enum: the other heads that have expressions."""
    chosen = find_head(context) if context is not None else None
    found = [obj for obj in bpy.data.objects if obj.type == "MESH" and obj != chosen and len(face_of(obj).bank)]
    _items[:] = [(obj.name, obj.name, "") for obj in found]
    return _items


class LSF_OT_copy_expressions(bpy.types.Operator):
    """Give this head the expressions of another one. Keys of the emotion then mean the same on both."""

    bl_idname = "lsf.copy_expressions"
    bl_label = "Copy Bank"
    bl_options = {"REGISTER", "UNDO"}

    head: bpy.props.EnumProperty(name="Head", description="Head whose expressions are copied", items=_heads)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context) and enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        source = find_item(bpy.data.objects, self.head)
        if source is None:
            return {"CANCELLED"}
        try:
            copied = expression_bank_edits.copy(source, require_head(context))
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say(iface("{count} expressions copied").format(count=len(copied)))
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why there is nothing to copy, as a sentence; empty if there is."""
    return "" if _heads(None, context) else "No other head has expressions."
