"""Take Over: makes lines of what add-on 0.1.0 has generated for a head."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import lines_of_0_1
from ...errors import UserError
from ...jobs import line_list
from ...scene.access import mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .all_or_nothing import all_or_nothing
from .poll import disabled_reason_busy, enabled_unless


class LSF_OT_take_over_lines(bpy.types.Operator):
    """Put the lines that version 0.1.0 of the add-on has generated for this head into one Action, without generating.

    Keys that you set by hand stay. Generate does this by itself.
    """

    bl_idname = "lsf.take_over_lines"
    bl_label = "Take Over"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        count = lines_of_0_1.take_over(require_head(context))
        self.report({"INFO"}, iface("{count} lines were taken over").format(count=count))
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Take Over is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    head = find_head(context)
    if head is None or not lines_of_0_1.are_there(mesh_of(head)):
        return "This head has no lines of version 0.1.0."
    try:
        line_list.check_changeable(head)
    except UserError as error:
        return f"{error}."
    return ""
