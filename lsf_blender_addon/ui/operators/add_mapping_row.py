"""Add a row to the mapping of the head's own shape keys."""

import bpy

from ...scene.selection import head_of
from .poll import enabled_with_head


class LSF_OT_add_mapping_row(bpy.types.Operator):
    """Add a row: one of the head's own shape keys, and the channel that it follows"""

    bl_idname = "lsf.add_mapping_row"
    bl_label = "Add Row"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        face = head_of(context).lsf
        face.mapping.add()
        face.active_row = len(face.mapping) - 1
        return {"FINISHED"}
