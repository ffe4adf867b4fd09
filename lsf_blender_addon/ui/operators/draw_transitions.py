"""Draw Transitions: the way from one keyed emotion to the next as curves."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ... import compat
from ...animation import affect_curves
from ...errors import UserError
from ...jobs import session
from ...scene import emotion_control, expression_keys, spoken, strips
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from ..head import find_head
from .poll import enabled_unless


class LSF_OT_draw_transitions(bpy.types.Operator):
    """Replace the keyed emotions by curves of Valence and Arousal, which you can edit in the Graph Editor.

    A cross-fade becomes a way through the circle of affect, else the face stays the same. With Follow Sentence, changes
    lie where the phrases of the chosen strip start.
    """

    bl_idname = "lsf.draw_transitions"
    bl_label = "Transitions to Curves"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            affect_curves.check(active_scene(context))
        except UserError as error:
            return enabled_unless(cls, f"{error}.")
        return True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        try:
            count = _draw(context)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say(iface("{count} keys of Valence and Arousal: edit them in the Graph Editor").format(count=count))
        return {"FINISHED"}


def _draw(context: bpy.types.Context) -> int:
    """Draw the curves; returns how many keys they have. Raises UserError."""
    scene = active_scene(context)
    settings = settings_of(scene)
    phrases = None
    if settings.emotion.follow_sentence:
        sequencer = compat.sequencer_scene(context)
        strip = strips.find_strip(sequencer, settings.strip, settings.strip_id)
        phrases = spoken.phrase_frames(sequencer, strip)
    head = find_head(context)
    entries = expression_keys.entries(scene, head) if head else ()
    return affect_curves.draw(scene, phrases, emotion_control.placed(entries))
