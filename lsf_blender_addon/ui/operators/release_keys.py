"""Give up the keys that the artist has set by hand on generated curves."""

import bpy

from ...animation import fcurves, refresh
from ...errors import UserError
from .poll import enabled_unless


class LSF_OT_release_keys(bpy.types.Operator):
    """Replace the keys that you set by hand on the curves of this line by generated ones, and bring back curves of it
    that you deleted. Curves of your own stay
    """

    bl_idname = "lsf.release_keys"
    bl_label = "Clear My Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            if fcurves.is_edited(refresh.current(context)):
                return True
            return enabled_unless(cls, "You have set no keys by hand on the generated curves.")
        except UserError as error:
            return enabled_unless(cls, f"{error}.")

    def execute(self, context: bpy.types.Context) -> set[str]:
        refresh.refresh(refresh.current(context), keep=False)
        return {"FINISHED"}
