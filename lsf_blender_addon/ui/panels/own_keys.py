"""The shape keys that the head has already, and what drives them."""

import bpy

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import rig
from .common import Tab, chosen_head, wrapped


class LSF_UL_mapping(bpy.types.UIList):
    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property, _index=0) -> None:
        row = layout.split(factor=0.5)
        row.alert = _is_gone(item)
        row.label(text=item.key, translate=False)
        row.label(text=item.channel or "from its shape", translate=not item.channel)


def _is_gone(item) -> bool:
    return bool(item.key) and item.key not in item.id_data.data.shape_keys.key_blocks


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
        face, count = head.lsf, len(rig.own_keys(head.data))
        if not count:
            layout.label(text="The head has no keys of its own", icon="INFO")
            return
        layout.prop(face, "own_keys", text="")
        mapping = rig.mapping_of(head)
        if face.own_keys == "RECOGNISE":
            wrapped(layout, context, _summary(mapping, count), "CHECKMARK" if mapping else "INFO")
            layout.operator("lsf.fill_mapping", icon="PRESET")
        elif face.own_keys == "LIST":
            self._draw_list(layout, face)
            wrapped(layout, context, _summary(mapping, count), "INFO")
        for complaint in families.saved(rig.saved_mappings_folder())[1]:
            wrapped(layout, context, complaint, "ERROR")
        if face.own_keys != "IGNORE":
            layout.prop(face, "add_missing")

    def _draw_list(self, layout: bpy.types.UILayout, face) -> None:
        row = layout.row()
        row.template_list("LSF_UL_mapping", "", face, "mapping", face, "active_row", rows=5)
        column = row.column(align=True)
        column.operator("lsf.add_mapping_row", text="", icon="ADD")
        column.operator("lsf.remove_mapping_row", text="", icon="REMOVE")
        if 0 <= face.active_row < len(face.mapping):  # below, as names and fields side by side would be cut off
            active = face.mapping[face.active_row]
            column = layout.column()
            column.use_property_split, column.use_property_decorate = True, False
            row = column.row()
            row.alert = _is_gone(active)
            row.prop(active, "key", icon="SHAPEKEY_DATA")
            column.prop(active, "channel", placeholder="from its shape")
            if active.channel:
                column.prop(active, "gain")
        row = layout.row(align=True)
        row.operator_menu_enum("lsf.load_mapping", "name", text="Load", icon="PRESET")
        row.operator("lsf.save_mapping", icon="FILE_TICK")


def _summary(mapping: Mapping | None, count: int) -> str:
    if mapping is None or not mapping.rows:
        return f"None of the {count} keys is known: Generate adds new ones"
    parts = []
    if mapping.direct:
        parts.append(f"{len(mapping.direct)} keys follow channels")
    if mapping.solved:
        parts.append(f"the weights of {len(mapping.solved)} are found from their shapes")
    return f"{mapping.name or 'List'}: {', '.join(parts)}"
