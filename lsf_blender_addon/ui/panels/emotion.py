"""Emotion: the emotion that the artist chooses, and the one that is detected in the audio of a line."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation.chosen_line import chosen_line
from ...errors import UserError
from ...jobs import session
from ...prediction import emotion_segments, store
from ...scene import emotion_control, expression_bank, expression_keys
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..head import find_head
from ..properties.emotion import FROM_AUDIO, ON_CIRCLE, LSF_PG_emotion, emotion_label
from ..text import wrapped
from . import emotion_icons
from .common import NEEDS_GENERATE, Tab, frames_text

MAX_SEGMENTS = 12  # listed in the panel
ICON_SIZE = 18  # pixels at an interface scale of 1
MARGIN = 30  # pixels of a sidebar beside its panels
CIRCLE_SCALE = 6.0  # of the picture of the circle of affect, in lines of text


class _EmotionPanel(Tab):
    bl_label = "Emotion"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        emotion = settings_of(context.scene).emotion
        layout.label(text=NEEDS_GENERATE, icon="INFO")
        if reason := disabled_reason_emotion():
            wrapped(layout, context, reason, "INFO")
        column = layout.column()
        column.active = not reason
        column.use_property_split = True  # shows the dots that insert keyframes
        column.prop(emotion, "chosen")
        if _is_unknown(context, emotion):
            wrapped(column, context, "This head has no such expression: it shows the emotion of the audio", "ERROR")
        if emotion.chosen == ON_CIRCLE:
            _draw_circle(column, emotion)
        row = column.row(align=True)
        row.use_property_decorate = False
        row.prop(emotion, "direction")
        row.operator("lsf.read_direction", text="", icon="CHECKMARK")
        keyed = emotion_control.is_keyed(active_scene(context))
        row = column.row()
        row.active = emotion.chosen != FROM_AUDIO or keyed
        row.prop(emotion, "mix")
        column.prop(emotion, "strength")
        column = column.column()
        column.use_property_decorate = False
        column.prop(emotion, "follow_words")
        column.prop(emotion, "follow_sentence")
        if keyed:
            column.prop(emotion, "transition")
            column.prop(emotion, "passing")
            column.operator("lsf.draw_transitions", icon="FCURVE")
        _draw_detected(layout, context)


def _draw_circle(layout: bpy.types.UILayout, emotion: LSF_PG_emotion) -> None:
    """Draw the circle of affect and the two numbers that choose a point of it."""
    layout.template_icon(icon_value=emotion_icons.circle(emotion.valence, emotion.arousal), scale=CIRCLE_SCALE)
    layout.prop(emotion, "valence", slider=True)
    layout.prop(emotion, "arousal", slider=True)


def _is_unknown(context: bpy.types.Context, emotion: LSF_PG_emotion) -> bool:
    """Return whether an expression is chosen that the chosen head does not have."""
    number, head = expression_bank.chosen_number(emotion), find_head(context)
    if head is None or not expression_bank.is_number(number):
        return False
    return number not in expression_keys.meanings(active_scene(context), head)


def disabled_reason_emotion() -> str:
    """Return why a chosen emotion has no effect on what is generated next, as a sentence; empty if it has one."""
    model = session.model_in_use()
    if model is None or model.has_emotions:
        return ""
    return "The chosen model has no emotions to choose from: it hears the emotion in the voice."


def _draw_detected(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the emotion detected in the chosen line: a chart, and a list of segments."""
    try:
        line = chosen_line(context)
    except UserError:
        return
    detected = store.detected_emotion(line.action, line.uid)
    if detected is None or not detected.emotion.size:
        return
    layout.label(text="Detected Emotion")
    if detected.heard_lines > 1:
        text = iface("Heard against {count} lines of this head")
        wrapped(layout, context, text.format(count=detected.heard_lines), "SPEAKER")
    elif detected.heard_lines:
        wrapped(layout, context, "Heard on its own: generate more lines of this head, then this one again", "INFO")
    row = layout.row(align=True)
    width = context.region.width / context.preferences.system.ui_scale - MARGIN
    for tile in emotion_icons.chart(detected):
        row.template_icon(icon_value=tile, scale=max(1.0, width / emotion_icons.TILES / ICON_SIZE))
    found = emotion_segments.of_line(detected)
    listed = layout.column(align=True)
    listed.scale_y = 0.8
    for segment in found[:MAX_SEGMENTS]:
        start, end = round(segment.start * detected.fps), round(segment.end * detected.fps)
        frames = frames_text(line.record.first_frame + start, end - start)
        text = f"{frames}  {iface(emotion_label(segment.emotion))} {segment.strength:.0%}"
        listed.label(text=text, icon_value=emotion_icons.swatch(segment.emotion), translate=False)
    if len(found) > MAX_SEGMENTS:
        listed.label(text="…", translate=False)


class LSF_PT_view3d_emotion(_EmotionPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_emotion(_EmotionPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
