"""Remove: takes a line off a head."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import lines
from ...jobs import line_list, session
from ...jobs.line_plan import listed
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
        locked = lines.locked_keys(line.action)
        line_list.remove(head, line)
        session.say("")  # it may tell of this line
        text = iface("{name} was removed").format(name=name)
        if locked:
            text += iface("; locked, so left as they are: {names}").format(names=listed(locked))
        self.report({"INFO"}, text)
        return {"FINISHED"}
