"""Allow Blender to use the internet, which the installation of the speech engine needs."""

import bpy

from ... import compat
from ...jobs import session
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_allow_online_access(bpy.types.Operator):
    """Allow online access for Blender and all its add-ons: the same as Preferences > System > Allow Online Access.

    This add-on goes online only when you press Install.
    """

    bl_idname = "lsf.allow_online_access"
    bl_label = "Allow Online Access"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason())

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        if (system := compat.online_access_switch()) is not None:
            system.use_online_access = True
            context.preferences.is_dirty = True  # so that it is saved with the other preferences
        session.redraw()
        return {"FINISHED"}


def disabled_reason() -> str:
    """Return why the button is disabled, as a sentence; empty if it is not."""
    if bpy.app.online_access:
        return "Online access is allowed."
    if compat.online_access_switch() is None:
        return "Blender was started without online access: start it without --offline-mode, or choose a wheel folder."
    return ""
