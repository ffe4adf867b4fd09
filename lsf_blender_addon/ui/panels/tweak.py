"""Sliders that change a generated line without generating it again."""

import bpy

from ...prediction import store
from ..text import wrapped
from ..translations import OWN_CONTEXT
from .common import Tab, chosen_line, draw_line_name


class _TweakPanel(Tab):
    bl_label = "Tweak"
    bl_translation_context = OWN_CONTEXT  # Blender translates "Tweak" as a mode of the NLA editor
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        line = chosen_line(layout, context)
        if line is None:
            return
        draw_line_name(layout, context, line)
        layout.use_property_split, layout.use_property_decorate = True, False
        tweaks = line.record.tweaks
        column = layout.column(align=True)
        for name in ("jaw", "lips", "cheeks", "brows", "lids"):
            column.prop(tweaks, name, slider=True)
        column = layout.column()
        column.prop(tweaks, "smile", slider=True)
        row = column.row()
        row.enabled = store.has_expression(line.action, line.uid)
        row.prop(tweaks, "emotion", slider=True)
        if not row.enabled:
            wrapped(column, context, "The prediction of this line contains no emotion", "INFO")
        column.prop(tweaks, "closure")
        column.prop(tweaks, "smoothing")
        column.prop(tweaks, "offset")
        layout.operator("lsf.reset_tweaks", icon="LOOP_BACK")


class LSF_PT_view3d_tweak(_TweakPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_view3d_tweak"
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_tweak(_TweakPanel, bpy.types.Panel):
    bl_idname = "LSF_PT_sequencer_tweak"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
