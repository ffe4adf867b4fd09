"""Remove a row from the mapping of the head's own shape keys."""

import bpy

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless, linked_reason


class LSF_OT_remove_mapping_row(bpy.types.Operator):
    """Remove the row.

    The shape key itself is kept.
    """

    bl_idname = "lsf.remove_mapping_row"
    bl_label = "Remove Row"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not face_of(head).mapping:
            return enabled_unless(cls, "The list is empty.")
        return enabled_unless(cls, linked_reason(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face = face_of(require_head(context))
        face.mapping.remove(min(face.active_row, len(face.mapping) - 1))
        face.active_row = max(0, min(face.active_row, len(face.mapping) - 1))
        return {"FINISHED"}
