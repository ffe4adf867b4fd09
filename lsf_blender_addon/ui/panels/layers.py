"""Blinks, gaze and head motion: which of them Generate makes, and how strong they are in the chosen line."""

import bpy

from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ...prediction import store
from ...scene.head_motion import find_constraint
from ...scene.own_properties import face_of, settings_of
from ..head import find_head
from .common import NEEDS_GENERATE, Tab, draw_line_name


class _LayersPanel(Tab):
    bl_label = "Eyes and Head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layers = settings_of(context.scene).layers
        layout.label(text=NEEDS_GENERATE, icon="INFO")
        column = layout.column(heading="Generate")
        column.prop(layers, "blinks")
        column.prop(layers, "gaze")
        head = find_head(context)
        if head is None:
            return
        nod = face_of(head).nod
        row = layout.row(align=True)
        row.prop(nod, "object")
        found = find_constraint(nod.object, nod.bone)
        if found is not None:
            row.operator("lsf.remove_head_motion", text="", icon="TRASH")
        if nod.object is not None and nod.object.type == "ARMATURE":
            layout.prop_search(nod, "bone", nod.object.data, "bones", icon="BONE_DATA")
        _draw_line(layout, context)
        if found is not None:
            layout.prop(found, "influence", text="Head Strength", slider=True)


def _draw_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the sliders of the chosen line's eyes."""
    try:
        line = chosen_line(context)
    except UserError:
        return
    if store.has_eyes(line.action, line.uid):
        column = layout.column(align=True)
        draw_line_name(column, context, line)
        for name in ("blinks", "gaze", "variant"):
            column.prop(line.record.tweaks, name)


class LSF_PT_view3d_layers(_LayersPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_layers(_LayersPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
