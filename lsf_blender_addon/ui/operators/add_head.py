"""Add the neutral head that comes with the add-on."""

import bpy

from ...scene import talking_head
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_add_head(bpy.types.Operator):
    """Add a neutral head that is ready for speech animation."""

    bl_idname = "lsf.add_head"
    bl_label = "Talking Head"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            return enabled_unless(cls, "Go to Object Mode first.")
        return True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        obj = talking_head.add(context)
        for other in context.selected_objects:
            other.select_set(False)
        obj.select_set(True)
        context.view_layer.objects.active = obj
        return {"FINISHED"}


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw an entry in Add > Mesh."""
    self.layout.operator(LSF_OT_add_head.bl_idname, icon="USER")
