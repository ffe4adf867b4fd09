"""Follow Strip: moves a line to where its strip is now."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...errors import UserError
from ...jobs import line_list, session
from ...scene.strip_identity import State
from ..blender_types import OperatorResult
from . import line_poll
from .poll import enabled_unless


class LSF_OT_follow_strip(bpy.types.Operator):
    """Move all keys of the line to where its strip is now, also those that you set by hand.

    Nothing is generated.
    """

    bl_idname = "lsf.follow_strip"
    bl_label = "Follow Strip"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        try:
            moved = line_list.follow_strip(*line_list.require_line(context))
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say("")  # it may tell where the line was
        self.report({"INFO"}, iface("The line was moved by {count} frames").format(count=moved))
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Follow Strip is disabled, as a sentence; empty if it is not."""
    if reason := line_poll.disabled_reason(context):
        return reason
    status = line_list.status_of(*line_list.require_line(context))
    if status is None or status.state is not State.MOVED:
        return "The strip of this line was not moved, or not only moved."
    return ""
