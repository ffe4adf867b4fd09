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
from ...scene import expression_bank, expression_keys
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
        self._head, bank = "", []
        if head is not None and head.type == "MESH":
            self._head = head.name_full
            bank = [entry.expression for entry in expression_bank.entries(head)]
        return [Item(direction, lambda: DirectionReading(session.client(), direction, bank))]

    def write(self, item: Item) -> str:
        reading = item.work
        assert isinstance(reading, DirectionReading)
        scene = find_item(bpy.data.scenes, self._scene)
        if scene is None:
            raise UserError("The scene was deleted or renamed: try again")
        emotion, emotions = settings_of(scene).emotion, reading.emotions
        strength, note = 1.0, ""
        if reading.named is not None:
            name, strength = reading.named
            head = self._keeper()
            if name not in expression_bank.names(head).values():
                raise UserError("The expression was removed or renamed: try again")
            expression_keys.choose(scene, head, name)
        elif not reading.weights and len(emotions) <= 1:
            emotion.chosen, strength = next(iter(emotions.items()), ("neutral", 1.0))
        else:
            try:
                head = self._keeper()
                expression_keys.choose(scene, head, _added(head, reading))
            except UserError as error:
                if not emotions:
                    raise
                emotion.chosen, strength = next(iter(emotions.items()))
                label = iface(emotion_label(emotion.chosen))
                note = " " + iface("Only {emotion} was set. {reason}.").format(emotion=label, reason=iface(str(error)))
        emotion.strength, emotion.mix = strength, 1.0
        return told(reading) + note

    def _keeper(self) -> bpy.types.Object:
        """The head that was chosen when the text was sent. Raises UserError."""
        if not self._head:
            raise UserError("Select the head first: what is more than one emotion becomes one of its expressions")
        head = next((obj for obj in bpy.data.objects if obj.name_full == self._head), None)
        if head is None:
            raise UserError("The head was deleted or renamed: try again")
        return head


def _added(head: bpy.types.Object, reading: DirectionReading) -> str:
    """Add what was read to a head's expressions; returns its name there. Raises UserError."""
    try:
        expression = Expression(expression_bank.free_name(reading.direction, ()), reading.weights, reading.emotions)
    except ExpressionError as error:
        raise UserError(DAMAGED) from error
    return expression_bank_edits.add(head, expression)


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
