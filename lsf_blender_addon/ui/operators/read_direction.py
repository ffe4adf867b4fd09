"""Set Emotion from Text: the server reads emotions and single features from a direction in words."""

import re
from collections.abc import Sequence

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import expression_bank_edits
from ...client.causes import DAMAGED
from ...client.wire import EMOTIONS, Expression, ExpressionError
from ...errors import UserError
from ...jobs import session
from ...jobs.batch import Item
from ...jobs.environment import NOT_INSTALLED, server_python
from ...jobs.read_emotion import DirectionReading
from ...scene import expression_bank
from ...scene.access import active_scene, find_item
from ...scene.own_properties import settings_of
from ...scene.selection import head_of
from ..properties.emotion import emotion_label
from .batch_modal import BatchModal
from .poll import disabled_reason_busy, enabled_unless

SHOWN_NAMES = 3  # channels that are told of each part of the text
SIDES = ("Left", "Right")
CHANNEL = re.compile(r"[a-z]+([A-Z][a-z]+)+")  # the names of ARKit's; what an artist has named stays as it is


class LSF_OT_read_direction(BatchModal, bpy.types.Operator):
    """Set the emotion from the text in Direction: emotions, single features, sides, degrees, negations.

    What is more than one emotion becomes an expression of the head. Left and right are the character's.
    """

    bl_idname = "lsf.read_direction"
    bl_label = "Set Emotion from Text"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        scene, head = active_scene(context), head_of(context)
        self._scene, direction = scene.name, settings_of(scene).emotion.direction
        bank = []
        if head is not None and head.type == "MESH":
            bank = [entry.expression for entry in expression_bank.entries(head)]
        return [Item(direction, lambda: DirectionReading(session.client(), direction, bank))]

    def write(self, item: Item) -> str:
        reading = item.work
        assert isinstance(reading, DirectionReading)
        scene = find_item(bpy.data.scenes, self._scene)
        if scene is None:
            raise UserError("The scene was deleted or renamed: try again")
        chosen, strength = _chosen(reading)
        emotion = settings_of(scene).emotion
        emotion.chosen, emotion.strength, emotion.mix = chosen, strength, 1.0
        return told(reading)


def _chosen(reading: DirectionReading) -> tuple[str, float]:
    """The choice that shows what was read, and its strength: an emotion, or an expression of the head.

    Raises:
        UserError: It needs an expression, and there is no head that could keep it.
    """
    if reading.named is not None:
        return reading.named
    emotions = reading.emotions
    if not reading.weights and len(emotions) <= 1:
        return next(iter(emotions.items()), ("neutral", 1.0))
    head = head_of(bpy.context)
    if head is None or head.type != "MESH":
        raise UserError("Select the head first: what is more than one emotion becomes one of its expressions")
    try:
        expression = Expression(expression_bank.free_name(reading.direction, ()), reading.weights, emotions)
    except ExpressionError as error:
        raise UserError(DAMAGED) from error
    return expression_bank_edits.add(head, expression), 1.0


def told(reading: DirectionReading) -> str:
    """What was understood of a direction and what was not, for the panel."""
    parts = []
    for part in reading.understood:
        meaning = ", ".join(_labels(part.names)) or iface("nothing added")
        parts.append(f"{part.text} → " + (iface("not {what}").format(what=meaning) if part.negated else meaning))
    text = iface("Understood: {parts}.").format(parts="; ".join(parts))
    if reading.missed:
        text += " " + iface("Not understood: {parts}.").format(parts="; ".join(reading.missed))
    return text


def _labels(names: Sequence[str]) -> list[str]:
    """Names as the panel shows them: channels of both sides as one, emotions in the artist's language."""
    labels = []
    for name in names:
        stem = re.sub(r"(Left|Right)$", "", name)
        both = all(stem + side in names for side in SIDES)
        if name in EMOTIONS:
            label = iface(emotion_label(name))
        elif CHANNEL.fullmatch(name):
            label = re.sub(r"(?=[A-Z])", " ", stem if both else name)
            label = label[:1].upper() + label[1:]
        else:
            label = name
        labels.append(label)
    labels = list(dict.fromkeys(labels))
    return labels[:SHOWN_NAMES] + ["…"] * (len(labels) > SHOWN_NAMES)


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Set Emotion from Text is disabled, as a sentence; empty if it is not."""
    if reason := disabled_reason_busy():
        return reason
    if server_python() is None:
        return f"{NOT_INSTALLED}."
    return "" if settings_of(active_scene(context)).emotion.direction.strip() else "Enter a text in Direction first."
