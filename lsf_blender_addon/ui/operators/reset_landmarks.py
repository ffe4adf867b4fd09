"""Reset Landmarks: removes those that were set by hand."""

import bpy

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless, linked_reason


class LSF_OT_reset_landmarks(bpy.types.Operator):
    """Remove the landmarks that you set by hand.

    All landmarks are then found automatically.
    """

    bl_idname = "lsf.reset_landmarks"
    bl_label = "Reset Landmarks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not face_of(head).own_landmarks:
            return enabled_unless(cls, "No landmarks were set by hand.")
        return enabled_unless(cls, linked_reason(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face_of(require_head(context)).own_landmarks.clear()
        return {"FINISHED"}
