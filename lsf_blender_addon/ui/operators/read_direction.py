"""Read the emotion out of a direction in words."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...errors import UserError
from ...jobs import session
from ...jobs.batch import Item
from ...jobs.environment import NO_PYTHON, server_python
from ...jobs.read_emotion import DirectionReading
from ...scene.emotion_control import EMOTIONS
from .batch_modal import BatchModal
from .poll import enabled_unless

CLEAR = 0.25  # weight of the leading emotion below which the words may mean anything


class LSF_OT_read_direction(BatchModal, bpy.types.Operator):
    """Choose emotion and strength after the direction in words. Say what is felt, not what is not"""

    bl_idname = "lsf.read_direction"
    bl_label = "Choose After Direction"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def items(self, context: bpy.types.Context) -> list[Item]:
        self._scene, direction = context.scene.name, context.scene.lsf.emotion.direction
        return [Item(direction, lambda: DirectionReading(session.client(), direction))]

    def write(self, item: Item) -> str:
        weights = {name: weight for name, weight in item.work.weights.items() if name in EMOTIONS}
        leader, second = list(weights)[:2]
        if weights[leader] < CLEAR:
            raise UserError("It does not become clear which emotion this is: use other words")
        scene = bpy.data.scenes.get(self._scene)
        if scene is None:
            raise UserError("The scene is gone or was renamed: try again")
        emotion = scene.lsf.emotion
        emotion.chosen, emotion.strength, emotion.mix = leader, item.work.strength, 1.0
        return ", ".join(f"{iface(name.capitalize())} {weights[name]:.0%}" for name in (leader, second))


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why there is no direction to read; empty if there is."""
    if session.batch is not None:
        return "The server is at work: wait for it, or cancel it."
    if server_python() is None:
        return f"{NO_PYTHON}."
    return "" if context.scene.lsf.emotion.direction.strip() else "Write first how the line is to be said."
