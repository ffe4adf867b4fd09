"""Which take: temperature and seed."""

import bpy

from .common import Tab


class _TakePanel(Tab):
    bl_label = "Take"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(context.scene.lsf, "temperature", slider=True)
        layout.prop(context.scene.lsf, "seed")


class LSF_PT_view3d_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_take(_TakePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
