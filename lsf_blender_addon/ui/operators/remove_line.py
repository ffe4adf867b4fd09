"""Remove: takes a line off a head."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import line_list, session
from ..blender_types import OperatorResult
from .line_poll import disabled_reason
from .poll import enabled_unless


class LSF_OT_remove_line(bpy.types.Operator):
    """Remove everything that was generated for this line: its keys, its takes and its head motion.

    The strip, the other lines and the keys that you set by hand stay.
    """

    bl_idname = "lsf.remove_line"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head, line = line_list.require_line(context)
        name = line.record.name
        note = line_list.locked_note(line.action)
        line_list.remove(head, line)
        session.say("")  # it may tell of this line
        text = iface("{name} was removed").format(name=name)
        self.report({"INFO"}, text + note)
        return {"FINISHED"}
