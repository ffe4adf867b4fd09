"""Forget the landmarks that were set by hand."""

import bpy

from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_reset_landmarks(bpy.types.Operator):
    """Forget the landmarks that you set by hand: all are found automatically again"""

    bl_idname = "lsf.reset_landmarks"
    bl_label = "Reset Landmarks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = head_of(context)
        return enabled_unless(cls, "" if head and head.lsf.own_landmarks else "No landmarks were set by hand.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        head_of(context).lsf.own_landmarks.clear()
        return {"FINISHED"}
