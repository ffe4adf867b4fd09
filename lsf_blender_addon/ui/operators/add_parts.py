"""Add the selected objects to the parts of the head."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_unless, enabled_with_head


class LSF_OT_add_parts(bpy.types.Operator):
    """Add the selected mesh objects (teeth, tongue, eyes, lashes) to the parts of this head.

    They are animated with it.
    """

    bl_idname = "lsf.add_parts"
    bl_label = "Add Selected"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not enabled_with_head(cls, context):
            return False
        others = _others(context, require_head(context))
        return enabled_unless(
            cls, "" if others else "Select other mesh objects that belong to the head: teeth, tongue, eyes, lashes."
        )

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        added = sum(face_of(head).add_part(obj) for obj in _others(context, head))
        self.report({"INFO"}, iface("{count} added").format(count=added) if added else iface("They are already listed"))
        return {"FINISHED"} if added else {"CANCELLED"}


def _others(context: bpy.types.Context, head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the selected mesh objects except the head."""
    return [obj for obj in context.selected_objects if obj.type == "MESH" and obj != head]
