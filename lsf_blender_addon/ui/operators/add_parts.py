"""List the selected objects as parts of the head."""

import bpy

from ...scene.selection import head_of
from .poll import enabled_unless, enabled_with_head


class LSF_OT_add_parts(bpy.types.Operator):
    """List the selected mesh objects (teeth, tongue, eyes, lashes) as parts of this head. They will move with it"""

    bl_idname = "lsf.add_parts"
    bl_label = "Add Selected"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not enabled_with_head(cls, context):
            return False
        others = _others(context, head_of(context))
        return enabled_unless(
            cls, "" if others else "Select other mesh objects that belong to the head: teeth, tongue, eyes, lashes."
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = head_of(context)
        added = sum(head.lsf.add_part(obj) for obj in _others(context, head))
        self.report({"INFO"}, f"{added} added" if added else "They are listed already")
        return {"FINISHED"} if added else {"CANCELLED"}


def _others(context: bpy.types.Context, head: bpy.types.Object) -> list[bpy.types.Object]:
    return [obj for obj in context.selected_objects if obj.type == "MESH" and obj != head]
