"""Blinks, gaze and head motion: which of these layers Generate makes, with a button to remove each."""

import bpy

from ...scene.head_motion import find_constraint
from ...scene.own_properties import face_of, settings_of
from ..head import find_head
from ..operators import remove_layer
from .common import Tab


class _LayersPanel(Tab):
    bl_label = "Eyes and Head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        head = find_head(context)
        layers = settings_of(context.scene).layers
        for name in ("blinks", "gaze"):
            row = layout.row(align=True)
            row.prop(layers, name)
            if head is not None and remove_layer.is_there(head, name):
                row.operator("lsf.remove_layer", text="", icon="TRASH").layer = name
        if head is None:
            return
        nod = face_of(head).nod
        row = layout.row(align=True)
        row.prop(nod, "object")
        found = find_constraint(nod.object, nod.bone)
        if found is not None:
            row.operator("lsf.remove_layer", text="", icon="TRASH").layer = "head"
        if nod.object is not None and nod.object.type == "ARMATURE":
            layout.prop_search(nod, "bone", nod.object.data, "bones", icon="BONE_DATA")
        if found is not None:
            layout.prop(found, "influence", text="Head Strength", slider=True)


class LSF_PT_view3d_layers(_LayersPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_layers(_LayersPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
