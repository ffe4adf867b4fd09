"""Remove a row from the mapping of the head's own shape keys."""

import bpy

from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_remove_mapping_row(bpy.types.Operator):
    """Remove the row. The shape key itself stays"""

    bl_idname = "lsf.remove_mapping_row"
    bl_label = "Remove Row"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = head_of(context)
        return enabled_unless(cls, "" if head and head.lsf.mapping else "The list is empty.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        face = head_of(context).lsf
        face.mapping.remove(min(face.active_row, len(face.mapping) - 1))
        face.active_row = max(0, min(face.active_row, len(face.mapping) - 1))
        return {"FINISHED"}
