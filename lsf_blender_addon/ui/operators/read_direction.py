"""Set Emotion from Text: the server reads the emotion from a direction in words."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.wire import EMOTIONS
from ...errors import UserError
from ...jobs import session
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.read_emotion import DirectionReading
from ...scene.access import active_scene, find_item
from ...scene.own_properties import settings_of
from ..properties.emotion import emotion_label
from .batch_modal import BatchModal
from .poll import enabled_unless

MIN_WEIGHT = 0.25  # of the strongest emotion; if it is less, the text is ambiguous


class LSF_OT_read_direction(BatchModal, bpy.types.Operator):
    """Set emotion and strength from the text in Direction.

    Describe what is felt, not what is not felt.
    """

    bl_idname = "lsf.read_direction"
    bl_label = "Set Emotion from Text"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        scene = active_scene(context)
        self._scene, direction = scene.name, settings_of(scene).emotion.direction
        return [Item(direction, lambda: DirectionReading(session.client(), direction))]

    def write(self, item: Item) -> str:
        reading = item.work
        assert isinstance(reading, DirectionReading)
        weights = {name: weight for name, weight in reading.weights.items() if name in EMOTIONS}
        leader, second = list(weights)[:2]
        if weights[leader] < MIN_WEIGHT:
            raise UserError("The text is not clear about the emotion: use other words")
        scene = find_item(bpy.data.scenes, self._scene)
        if scene is None:
            raise UserError("The scene was deleted or renamed: try again")
        emotion = settings_of(scene).emotion
        emotion.chosen, emotion.strength, emotion.mix = leader, reading.strength, 1.0
        return ", ".join(f"{iface(emotion_label(name))} {weights[name]:.0%}" for name in (leader, second))


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Set Emotion from Text is disabled, as a sentence; empty if it is not."""
    if session.batch is not None:
        return "A generation is running: wait for it or cancel it."
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    return "" if settings_of(active_scene(context)).emotion.direction.strip() else "Enter a text in Direction first."
