"""Add a row to the mapping of the head's own shape keys."""

import bpy

from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_with_head


class LSF_OT_add_mapping_row(bpy.types.Operator):
    """Add a row for one of the head's own shape keys and the channel that it follows."""

    bl_idname = "lsf.add_mapping_row"
    bl_label = "Add Row"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        face = face_of(require_head(context))
        face.mapping.add()
        face.active_row = len(face.mapping) - 1
        return {"FINISHED"}
