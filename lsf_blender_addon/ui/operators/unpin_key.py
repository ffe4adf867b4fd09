"""Unpin: shows all shape keys of the head, not the pinned one alone."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import session
from ...scene import shape_key_faults
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_unpin_key(bpy.types.Operator):
    """Show all shape keys of the head again, instead of the pinned one alone."""

    bl_idname = "lsf.unpin_key"
    bl_label = "Unpin"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        is_pinned = head is not None and bool(shape_key_faults.pinned(head))
        return enabled_unless(cls, "" if is_pinned else "No shape key of the head is pinned.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        session.say(iface('"{name}" is not pinned any more').format(name=shape_key_faults.pinned(head)))
        head.show_only_shape_key = False
        return {"FINISHED"}
