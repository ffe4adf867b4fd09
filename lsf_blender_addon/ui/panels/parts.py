"""The parts of the face: other objects, and vertices that were assigned to a part."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...jobs import checkup, part_checks
from ...scene import character, parts
from ...scene.access import mesh_of
from ...scene.own_properties import choice, face_of
from ..blender_types import IconItems
from ..text import wrapped
from .common import RowList, Tab, chosen_head

if TYPE_CHECKING:
    from ..properties.face import LSF_PG_part

MOST_NAMES = 6  # of objects that are offered


class LSF_UL_parts(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_part") -> None:
        row = layout.split(factor=0.5)
        exists = item.object is not None and item.object.users_scene  # the list keeps a deleted object alive
        kind = choice(item, "kind")
        is_doubtful = item.is_doubtful and kind == "AUTOMATIC"  # the artist's choice ends the doubt
        icon: IconItems = "ERROR" if is_doubtful else "MESH_DATA"
        row.label(text=item.object.name if exists else "(deleted)", icon=icon, translate=not exists)
        text = iface(parts.NAMES[parts.CODES[kind]])
        if kind == "AUTOMATIC" and item.recognised:
            names = ", ".join(iface(name) for name in item.recognised.split(", "))
            text = iface("Auto: {parts}").format(parts=names)
        row.prop_menu_enum(item, "kind", text=text)


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
        face = face_of(head)
        row = layout.row()
        row.template_list("LSF_UL_parts", "", face, "parts", face, "active_part", rows=3)
        column = row.column(align=True)
        column.operator("lsf.add_parts", text="", icon="ADD")
        column.operator("lsf.remove_part", text="", icon="REMOVE")
        if not len(face.parts) and (selected := character.find_parts(context, head)):
            names = ", ".join(obj.name for obj in selected)
            text = iface("Included because they are selected with the head: {names}")
            wrapped(layout, context, text.format(names=names), "INFO")
        nearby, is_certain = part_checks.nearby(context, head, checkup.known_face(head))
        if nearby:
            names = ", ".join(obj.name for obj in nearby[:MOST_NAMES])
            certain = iface("They seem to belong to the head, but stand still: {names}")
            text = certain if is_certain else iface("{names} stand still: add them if they belong to the head")
            more = f" + {len(nearby) - MOST_NAMES}" if len(nearby) > MOST_NAMES else ""
            wrapped(layout, context, text.format(names=names + more), "ERROR")
            layout.operator("lsf.add_nearby_parts", icon="ADD")
        layout.operator_menu_enum("lsf.set_part", "kind", text="Assign Selected Vertices")
        for name, count in parts.assigned_counts(mesh_of(head)).items() if head.mode == "OBJECT" else ():
            text = iface("{name}: {count} vertices assigned").format(name=iface(name), count=count)
            layout.label(text=text, icon="HAND", translate=False)
