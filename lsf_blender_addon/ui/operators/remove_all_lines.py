"""Remove All: takes all lines off a head."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import actions
from ...errors import UserError
from ...jobs import line_list, session
from ...scene.access import mesh_of
from ...scene.own_properties import lines_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_remove_all_lines(bpy.types.Operator):
    """Remove everything that was generated for the lines of this head: keys, takes and head motion.

    The strips, the shape keys and the keys that you set by hand stay.
    """

    bl_idname = "lsf.remove_all_lines"
    bl_label = "Remove All"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        action = actions.existing(mesh_of(head))
        note = line_list.locked_note(action) if action else ""
        count = line_list.remove_all(head)
        session.say("")  # it may tell of one of these lines
        text = iface("{count} lines were removed").format(count=count)
        self.report({"INFO"}, text + note)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Remove All is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    head = find_head(context)
    action = actions.existing(mesh_of(head)) if head else None
    if head is None or action is None or not len(lines_of(action)):
        return "This head has no lines."
    try:
        line_list.check_changeable(head)
    except UserError as error:
        return f"{error}."
    return ""
