"""What belongs to the face: other objects, and what single vertices were said to be."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...scene import character, parts
from .common import Tab, chosen_head, wrapped


class LSF_UL_parts(bpy.types.UIList):
    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property, _index=0) -> None:
        row = layout.split(factor=0.5)
        there = item.object is not None and item.object.users_scene  # a deleted one lives on while it is listed
        row.label(text=item.object.name if there else "(gone)", icon="MESH_DATA", translate=not there)
        guess = f"Auto: {item.recognised}" if item.kind == "AUTOMATIC" and item.recognised else ""
        row.prop_menu_enum(item, "kind", text=guess or parts.NAMES[parts.CODES[item.kind]])


class LSF_PT_view3d_parts(Tab, bpy.types.Panel):
    bl_label = "Parts"
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_face"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        face = head.lsf
        row = layout.row()
        row.template_list("LSF_UL_parts", "", face, "parts", face, "active_part", rows=3)
        column = row.column(align=True)
        column.operator("lsf.add_parts", text="", icon="ADD")
        column.operator("lsf.remove_part", text="", icon="REMOVE")
        if not len(face.parts) and (selected := character.find_parts(context, head)):
            names = ", ".join(obj.name for obj in selected)
            text = iface("Selected together with the head, so they go with it: {names}")
            wrapped(layout, context, text.format(names=names), "INFO")
        layout.operator_menu_enum("lsf.set_part", "kind", text="Set Selected Vertices")
        for name, count in parts.assigned_counts(head.data).items() if head.mode == "OBJECT" else ():
            text = iface("{name}: {count} vertices set by hand").format(name=iface(name), count=count)
            layout.label(text=text, icon="HAND", translate=False)
