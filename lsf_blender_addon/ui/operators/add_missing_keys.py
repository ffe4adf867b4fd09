"""Add Missing Keys: lets Generate add keys for channels that none of the head's own keys shows."""

import bpy

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_add_missing_keys(bpy.types.Operator):
    """Let the next Generate add shape keys for channels that none of the head's own shape keys shows."""

    bl_idname = "lsf.add_missing_keys"
    bl_label = "Add Missing Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        is_off = head is not None and not face_of(head).add_missing
        return enabled_unless(cls, "" if is_off else "Missing keys are added already.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face_of(require_head(context)).add_missing = True
        return {"FINISHED"}
