"""Also Move: adds the objects that seem to belong to the head to its parts."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import checkup, part_checks
from ...scene import character
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_unless, enabled_with_head


class LSF_OT_add_nearby_parts(bpy.types.Operator):
    """Add the objects that have the same shape keys as this head, or lie in it, to its parts.

    They then move with it from the next Generate on.
    """

    bl_idname = "lsf.add_nearby_parts"
    bl_label = "Also Move"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not enabled_with_head(cls, context):
            return False
        head = require_head(context)
        nearby, _is_certain = part_checks.nearby(context, head, checkup.known_face(head))
        return enabled_unless(cls, "" if nearby else "No other objects seem to belong to this head.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        nearby, _is_certain = part_checks.nearby(context, head, checkup.known_face(head))
        for obj in (*character.find_parts(context, head), *nearby):  # a list replaces the selection
            face_of(head).add_part(obj)
        self.report({"INFO"}, iface("{count} added").format(count=len(nearby)))
        return {"FINISHED"}
