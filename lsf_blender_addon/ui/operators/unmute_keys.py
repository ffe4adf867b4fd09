"""Unmute: lets the muted shape keys that a line moves show."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import key_cures
from ...jobs import session
from ...jobs.name_list import listed
from ...scene import shape_key_faults
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_unmute_keys(bpy.types.Operator):
    """Unmute the shape keys that a line moves, and no others."""

    bl_idname = "lsf.unmute_keys"
    bl_label = "Unmute"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        has_muted = head is not None and bool(shape_key_faults.muted(head))
        return enabled_unless(cls, "" if has_muted else "No shape key that a line moves is muted.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        names = shape_key_faults.muted(head)
        key_cures.unmute(head, names)
        session.say(iface("Not muted any more: {names}").format(names=listed(names)))
        return {"FINISHED"}
