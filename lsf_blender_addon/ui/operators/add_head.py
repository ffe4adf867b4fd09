"""Add the project's own neutral head."""

import bpy

from ...scene import talking_head
from .poll import enabled_unless


class LSF_OT_add_head(bpy.types.Operator):
    """Add a neutral head that is ready to talk"""

    bl_idname = "lsf.add_head"
    bl_label = "Talking Head"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            return enabled_unless(cls, "Go to Object Mode first.")
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = talking_head.add(context)
        for other in context.selected_objects:
            other.select_set(False)
        obj.select_set(True)
        context.view_layer.objects.active = obj
        return {"FINISHED"}


def draw_menu(self, _context: bpy.types.Context) -> None:
    """An entry for Add > Mesh."""
    self.layout.operator(LSF_OT_add_head.bl_idname, icon="USER")
