"""The head's own shape keys, and the channels that drive them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import empty_keys, rig
from ...scene.access import mesh_of, shape_keys_of
from ...scene.own_properties import face_of
from ..text import wrapped
from ..translations import OWN_CONTEXT
from .common import RowList, Tab, chosen_head

if TYPE_CHECKING:
    from ..properties.face import LSF_PG_face, LSF_PG_mapping_row

MOST_NAMES = 6  # of shape keys that the panel lists


class LSF_UL_mapping(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_mapping_row") -> None:
        row = layout.split(factor=0.5)
        row.alert = _is_missing(item)
        row.label(text=item.key, translate=False)
        row.label(text=item.channel or "from its shape", translate=not item.channel)


def _is_missing(row: "LSF_PG_mapping_row") -> bool:
    """Return whether the mesh, which has shape keys, no longer has that of this row."""
    head = row.id_data
    assert isinstance(head, bpy.types.Object)
    return bool(row.key) and row.key not in shape_keys_of(mesh_of(head)).key_blocks


class LSF_PT_view3d_own_keys(Tab, bpy.types.Panel):
    bl_label = "Own Shape Keys"
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_face"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        face, count = face_of(head), len(rig.own_keys(mesh_of(head)))
        if not count:
            wrapped(layout, context, "The head has no shape keys of its own", "INFO")
            return
        layout.prop(face, "own_keys", text="")
        mapping = rig.mapping_of(head)
        if face.own_keys == "RECOGNISE":
            wrapped(layout, context, _summary(mapping, count), "CHECKMARK" if mapping else "INFO")
            layout.operator("lsf.fill_mapping", icon="PRESET")
        elif face.own_keys == "LIST":
            self._draw_list(layout, face)
            wrapped(layout, context, _summary(mapping, count), "INFO")
        if face.own_keys != "IGNORE":
            for text in _still(mesh_of(head), mapping):
                wrapped(layout, context, text, "INFO")
        _families, errors = families.saved(rig.saved_mappings_folder())
        for error in errors:
            wrapped(layout, context, error, "ERROR")
        if face.own_keys != "IGNORE":
            layout.prop(face, "add_missing")

    def _draw_list(self, layout: bpy.types.UILayout, face: "LSF_PG_face") -> None:
        """Draw the artist's list, and the fields of its active row."""
        row = layout.row()
        row.template_list("LSF_UL_mapping", "", face, "mapping", face, "active_row", rows=5)
        column = row.column(align=True)
        column.operator("lsf.add_mapping_row", text="", icon="ADD")
        column.operator("lsf.remove_mapping_row", text="", icon="REMOVE")
        if 0 <= face.active_row < len(face.mapping):  # below the list: fields beside the names would be cut off
            active = face.mapping[face.active_row]
            column = layout.column()
            column.use_property_split, column.use_property_decorate = True, False
            row = column.row()
            row.alert = _is_missing(active)
            row.prop(active, "key", icon="SHAPEKEY_DATA")
            column.prop(active, "channel", placeholder="from its shape")
            if active.channel:
                column.prop(active, "gain")
        row = layout.row(align=True)
        row.operator_menu_enum("lsf.load_mapping", "name", text="Load", text_ctxt=OWN_CONTEXT, icon="PRESET")
        row.operator("lsf.save_mapping", icon="FILE_TICK")


def _still(mesh: bpy.types.Mesh, mapping: Mapping | None) -> list[str]:
    """Return texts on the head's own keys that will not move: those without a shape, and those that are not used."""
    names, empty = rig.own_keys(mesh), empty_keys.find(mesh)
    texts = []
    if without := [name for name in names if name in empty]:
        texts.append(iface("Without a shape: {names}").format(names=_listed(without)))
    unused = families.unused(names, mapping, empty)
    if mapping is not None and mapping.rows and unused:
        texts.append(iface("Not used: {names}").format(names=_listed(unused)))
    return texts


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many follow."""
    text = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return iface("{names} and {count} more").format(names=text, count=more) if more > 0 else text


def _summary(mapping: Mapping | None, count: int) -> str:
    """Return a text on how many of the head's `count` own shape keys the mapping drives."""
    if mapping is None or not mapping.rows:
        return iface("None of the {count} shape keys is recognised: Generate adds new ones").format(count=count)
    parts = []
    if mapping.direct:
        parts.append(iface("{count} keys follow channels").format(count=len(mapping.direct)))
    if mapping.solved:
        parts.append(iface("{count} are solved from their shapes").format(count=len(mapping.solved)))
    return f"{mapping.name or iface('List')}: {', '.join(parts)}"
