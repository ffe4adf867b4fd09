"""Give the artist an additive Action of their own above the generated one."""

import bpy

from ...animation import actions
from ...errors import UserError
from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_add_layer(bpy.types.Operator):
    """Move the generated Action to an NLA track, and key on an Action of your own above it: its values are added. You
    can generate again and use all sliders without your keys being touched
    """

    bl_idname = "lsf.add_layer"
    bl_label = "Key on a Layer Above"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = head_of(context)
        data = head.data.shape_keys.animation_data if head and head.type == "MESH" and head.data.shape_keys else None
        if data is None or data.action is None:
            return enabled_unless(cls, "Nothing that was generated is active on the head: press Generate first.")
        if not actions.is_generated(data.action):
            return enabled_unless(cls, "Your own Action is active already, above what was generated.")
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            layer = actions.add_layer(head_of(context).data)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f'Your keys now go to "{layer.name}", on top of the speech')
        return {"FINISHED"}
