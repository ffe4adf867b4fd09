"""Bring a line back to what was predicted."""

import bpy

from ...animation import refresh
from ...errors import UserError
from .poll import enabled_unless


class LSF_OT_reset_tweaks(bpy.types.Operator):
    """Bring back what was predicted: all sliders at their defaults, no channel muted. Keys that you set by hand stay"""

    bl_idname = "lsf.reset_tweaks"
    bl_label = "Reset"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            if refresh.current(context).lsf.is_changed():
                return True
            return enabled_unless(cls, "Everything is as it was predicted.")
        except UserError as error:
            return enabled_unless(cls, f"{error}.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        action = refresh.current(context)
        action.lsf.reset()
        refresh.refresh(action)
        return {"FINISHED"}
