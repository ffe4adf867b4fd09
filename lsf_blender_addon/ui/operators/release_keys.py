"""Clear My Keys: replaces the keys that the artist set by hand on generated F-curves."""

import bpy

from ...animation import lines
from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ..blender_types import OperatorResult
from .all_or_nothing import all_or_nothing
from .poll import enabled_unless


class LSF_OT_release_keys(bpy.types.Operator):
    """Replace the keys that you set by hand on this line with generated ones.

    F-curves of the line that you deleted are restored. Your own F-curves are kept.
    """

    bl_idname = "lsf.release_keys"
    bl_label = "Clear My Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            if lines.is_edited(*chosen_line(context)):
                return True
            return enabled_unless(cls, "No keys were set by hand on the generated F-curves.")
        except UserError as error:
            return enabled_unless(cls, f"{error}.")

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        lines.refresh(*chosen_line(context), keep=False)
        return {"FINISHED"}
