"""Reset the sliders of a line."""

import bpy

from ...animation import lines
from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ..blender_types import OperatorResult
from .all_or_nothing import all_or_nothing
from .poll import enabled_unless


class LSF_OT_reset_tweaks(bpy.types.Operator):
    """Reset all sliders to their defaults and unmute all channels.

    Keys that you set by hand are kept.
    """

    bl_idname = "lsf.reset_tweaks"
    bl_label = "Reset"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            if chosen_line(context).record.tweaks.is_changed():
                return True
            return enabled_unless(cls, "All sliders have their default values.")
        except UserError as error:
            return enabled_unless(cls, f"{error}.")

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        action, record = chosen_line(context)
        record.tweaks.reset()
        lines.refresh(action, record)
        return {"FINISHED"}
