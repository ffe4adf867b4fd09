"""Emotion: what the voice implies over the line, and what the artist wants instead."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import refresh
from ...errors import UserError
from ...prediction import emotion_segments, store
from ...scene import emotion_control
from ..properties.emotion import VOICE
from . import emotion_icons
from .common import Tab

MOST = 12  # stretches that are listed
UNIT, MARGINS = 18, 30  # of the interface, in pixels: an icon, and what is no panel in the width of a sidebar


class _EmotionPanel(Tab):
    bl_label = "Emotion"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        emotion = context.scene.lsf.emotion
        column = layout.column()
        column.use_property_split = True  # with the dots that key it
        column.prop(emotion, "chosen")
        row = column.row(align=True)
        row.use_property_decorate = False
        row.prop(emotion, "direction")
        row.operator("lsf.read_direction", text="", icon="CHECKMARK")
        keyed = emotion_control.is_keyed(context.scene)
        row = column.row()
        row.active = emotion.chosen != VOICE or keyed
        row.prop(emotion, "mix")
        column.prop(emotion, "strength")
        if keyed:
            column.use_property_decorate = False
            column.prop(emotion, "transition")
        _draw_implied(layout, context)


def _draw_implied(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the voice of the line at hand implies."""
    try:
        implied = store.implied(refresh.current(context))
    except UserError:
        return
    if implied is None or not implied.emotion.size:
        return
    layout.label(text="The Voice Implies")
    row = layout.row(align=True)
    width = context.region.width / context.preferences.system.ui_scale - MARGINS
    for tile in emotion_icons.chart(implied):
        row.template_icon(icon_value=tile, scale=max(1.0, width / emotion_icons.TILES / UNIT))
    found = emotion_segments.stretches(implied.emotion, implied.emotions, implied.fps)
    listed = layout.column(align=True)
    listed.scale_y = 0.8
    for stretch in found[:MOST]:
        text = f"{stretch.start:.1f}-{stretch.end:.1f} s  {iface(stretch.emotion.capitalize())} {stretch.strength:.0%}"
        listed.label(text=text, icon_value=emotion_icons.swatch(stretch.emotion), translate=False)
    if len(found) > MOST:
        listed.label(text="…", translate=False)


class LSF_PT_view3d_emotion(_EmotionPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_emotion(_EmotionPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
