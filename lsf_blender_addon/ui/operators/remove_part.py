"""Take an object off the list of the head's parts."""

import bpy

from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_remove_part(bpy.types.Operator):
    """Take the object off the list. It keeps its shape keys, and these go on following the head's"""

    bl_idname = "lsf.remove_part"
    bl_label = "Remove Part"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = head_of(context)
        return enabled_unless(cls, "" if head and head.lsf.parts else "No parts are listed.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        face = head_of(context).lsf
        face.parts.remove(min(face.active_part, len(face.parts) - 1))
        face.active_part = max(0, min(face.active_part, len(face.parts) - 1))
        return {"FINISHED"}
