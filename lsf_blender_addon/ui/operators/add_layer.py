"""Add an additive Action for the artist above the generated one."""

import bpy

from ...animation import actions, lines
from ...errors import UserError
from ...scene.access import key_animation, mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .all_or_nothing import all_or_nothing
from .poll import enabled_unless, linked_reason


class LSF_OT_add_layer(bpy.types.Operator):
    """Push the generated Action down to an NLA track and add an Action above it, whose values are added.

    It has keys with the value 0 at the ends of the lines. Your keys there do not change when you generate again or use
    the sliders.
    """

    bl_idname = "lsf.add_layer"
    bl_label = "Key on a Layer Above"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        action = actions.existing(mesh_of(head)) if head else None
        if head is None or action is None:
            return enabled_unless(cls, "Nothing was generated for this head yet: press Generate first.")
        data = key_animation(mesh_of(head))
        if data is not None and data.action not in (None, action):
            return enabled_unless(cls, "Your own Action is already active above the generated one.")
        return enabled_unless(cls, linked_reason(head))

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        try:
            layer = lines.add_layer(mesh_of(require_head(context)))
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f'New keys go to the Action "{layer.name}" above the generated one')
        return {"FINISHED"}
