"""Remove an object from the parts of the head."""

import bpy

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless, linked_reason


class LSF_OT_remove_part(bpy.types.Operator):
    """Remove the object from the list.

    It keeps its shape keys, which still follow those of the head.
    """

    bl_idname = "lsf.remove_part"
    bl_label = "Remove Part"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not face_of(head).parts:
            return enabled_unless(cls, "No parts are listed.")
        return enabled_unless(cls, linked_reason(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face = face_of(require_head(context))
        face.parts.remove(min(face.active_part, len(face.parts) - 1))
        face.active_part = max(0, min(face.active_part, len(face.parts) - 1))
        return {"FINISHED"}
