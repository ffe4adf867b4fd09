"""Say what the selected vertices are: for teeth, eyes and the like inside the head's own mesh."""

import bmesh
import bpy

from ...scene import parts
from .poll import enabled_unless


class LSF_OT_set_part(bpy.types.Operator):
    """Say which part of the face the selected vertices are, where it is not recognised by itself"""

    bl_idname = "lsf.set_part"
    bl_label = "Set Part"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(name="Part", description="What the selected vertices are", items=parts.ENUM_ITEMS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "EDIT_MESH":
            return enabled_unless(cls, "Go to Edit Mode and select the vertices (L selects what is connected).")
        return True

    @classmethod
    def description(cls, _context: bpy.types.Context, properties) -> str:
        kind = properties.kind if properties.is_property_set("kind") else ""
        return next((tooltip for identifier, _name, tooltip, _code in parts.KINDS if identifier == kind), cls.__doc__)

    def execute(self, context: bpy.types.Context) -> set[str]:
        count = 0
        for obj in context.objects_in_mode_unique_data:
            edited = bmesh.from_edit_mesh(obj.data)
            layer = edited.verts.layers.int.get(parts.ATTRIBUTE) or edited.verts.layers.int.new(parts.ATTRIBUTE)
            for vertex in edited.verts:
                if vertex.select:
                    vertex[layer] = parts.CODES[self.kind] + 1
                    count += 1
            bmesh.update_edit_mesh(obj.data, loop_triangles=False, destructive=False)
        if not count:
            self.report({"WARNING"}, "Select the vertices of the part first")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{count} vertices: {parts.NAMES[parts.CODES[self.kind]]}")
        return {"FINISHED"}
