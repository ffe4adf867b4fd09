"""Set Part: assigns selected vertices to a part, for teeth or eyes inside the head's own mesh."""

import bmesh
import bpy
from bpy.app.translations import pgettext_iface as iface

from ...scene import parts
from ...scene.access import mesh_of
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_set_part(bpy.types.Operator):
    """Assign the selected vertices to a part of the face, if it is not recognised automatically."""

    bl_idname = "lsf.set_part"
    bl_label = "Set Part"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(
        name="Part", description="Part to assign the selected vertices to", items=parts.ENUM_ITEMS
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "EDIT_MESH":
            return enabled_unless(cls, "Go to Edit Mode and select vertices (L selects linked ones).")
        return True

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        kind = properties.kind if properties.is_property_set("kind") else ""
        return next(
            (tooltip for identifier, _name, tooltip, _code in parts.KINDS if identifier == kind), cls.bl_description
        )

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        count = 0
        for obj in context.objects_in_mode_unique_data:
            edited = bmesh.from_edit_mesh(mesh_of(obj))
            layer = edited.verts.layers.int.get(parts.ATTRIBUTE) or edited.verts.layers.int.new(parts.ATTRIBUTE)
            for vertex in edited.verts:
                if vertex.select:
                    vertex[layer] = parts.CODES[self.kind] + 1
                    count += 1
            bmesh.update_edit_mesh(mesh_of(obj), loop_triangles=False, destructive=False)
        if not count:
            self.report({"WARNING"}, "Select vertices of the part first")
            return {"CANCELLED"}
        name = iface(parts.NAMES[parts.CODES[self.kind]])
        self.report({"INFO"}, iface("{name}: {count} vertices assigned").format(name=name, count=count))
        return {"FINISHED"}
