"""Widen the Sliders: raises the slider ranges that hold the lines of the head back."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import key_cures
from ...jobs import session
from ...jobs.name_list import listed
from ...scene import shape_key_faults
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import disabled_reason_override, enabled_unless


class LSF_OT_widen_sliders(bpy.types.Operator):
    """Raise the range of sliders that end before the speech does, and write the lines of this head again."""

    bl_idname = "lsf.widen_sliders"
    bl_label = "Widen the Sliders"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        if head is None or not shape_key_faults.short_sliders(head):
            return enabled_unless(cls, "The sliders of the head reach far enough.")
        return enabled_unless(cls, disabled_reason_override(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        ranges = shape_key_faults.short_sliders(head)
        key_cures.widen(head, ranges)
        session.say(iface("The sliders reach far enough now: {names}").format(names=listed(list(ranges))))
        return {"FINISHED"}
