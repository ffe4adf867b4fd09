"""The emotion of a performance, stored in the scene so that it can be keyed on the timeline."""

from functools import lru_cache

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.wire import EMOTIONS
from ...scene import emotion_control, expression_bank, expression_keys
from ...scene.selection import head_of
from ..translations import OWN_CONTEXT

FROM_AUDIO = "voice"  # identifier of the choice to use the emotion that is detected in the audio
MAX_DIRECTION = 300  # characters: the server reads no more, see docs/protocol.md
ON_CIRCLE = "affect"  # identifier of the choice of a point of the circle of affect


def emotion_label(emotion: str) -> str:
    """Return the adjective that the interface shows for an emotion of docs/protocol.md."""
    return "Contemptuous" if emotion == "contempt" else emotion.capitalize()


Item = tuple[str, str, str, int]

CHOICES: list[Item] = [  # those that are always there
    (FROM_AUDIO, "From Audio", "Use the emotion that is detected in the audio", 0),
    *(
        (name, emotion_label(name), f"{emotion_label(name)}, regardless of the audio", i + 1)
        for i, name in enumerate(EMOTIONS)
    ),
    (
        ON_CIRCLE,
        "Circle of Affect",
        "Mix emotions freely, between pleasant and unpleasant (Valence), excited and calm (Arousal). Both can be keyed",
        emotion_control.FREE,
    ),
]


@lru_cache(4096)
def _item(identifier: str, label: str, description: str, number: int) -> Item:
    """Return an item, always the same one: Blender holds no reference to its texts."""
    return identifier, label, description, number


def _choices(emotion: "LSF_PG_emotion", context: bpy.types.Context | None) -> list[Item]:
    """Return the items of the choice: those that are always there, then the expressions of the chosen head.

    What is chosen is among them in any case. F-curves hold the numbers, so these never change.
    """
    head = head_of(context) if context is not None and context.scene is not None else None
    names = expression_keys.offered(_scene_of(emotion), head) if head is not None and head.type == "MESH" else {}
    chosen = expression_bank.chosen_number(emotion)
    own = iface("Expression of this head's bank, regardless of the audio")
    found = {number: (name, own) for number, name in names.items()}
    if expression_bank.is_number(chosen) and chosen not in found:
        found[chosen] = _other(_scene_of(emotion), head, chosen)
    items = [_item(name, iface(label), iface(text), number) for name, label, text, number in CHOICES]
    for number, (name, text) in found.items():
        identifier = name if number in names or name not in names.values() else str(number)
        items.append(_item(identifier, name, text, number))
    return items


def _other(scene: bpy.types.Scene, head: bpy.types.Object | None, chosen: int) -> tuple[str, str]:
    """Return name and description of a chosen expression that the menu does not offer under this number."""
    if head is not None and head.type == "MESH":
        row = expression_keys.meanings(scene, head).get(chosen)
        if row is not None:  # the head has it under a later number, too
            return expression_bank.names(head)[row], iface("Expression of this head's bank, regardless of the audio")
    missing = iface("This head has no such expression: it shows the emotion of the audio")
    return expression_keys.name_of(scene, chosen) or iface("Missing Expression"), missing


def _keep_meaning(emotion: "LSF_PG_emotion", context: bpy.types.Context) -> None:
    """Let the scene keep what the choice means for its keys, and how it passes to others."""
    scene = _scene_of(emotion)
    if scene.library is None:
        expression_keys.remember(scene, head_of(context) if context.scene is not None else None)
        emotion_control.state_passing(scene)


def _scene_of(emotion: "LSF_PG_emotion") -> bpy.types.Scene:
    """Return the scene that an emotion belongs to."""
    assert isinstance(emotion.id_data, bpy.types.Scene)
    return emotion.id_data


class LSF_PG_emotion(bpy.types.PropertyGroup):
    chosen: bpy.props.EnumProperty(
        name="Emotion",
        description="Emotion that the face shows. Insert keyframes to change it over time",
        items=_choices,
        default=0,  # FROM_AUDIO
        update=_keep_meaning,
    )
    names: bpy.props.StringProperty(options={"HIDDEN"})  # JSON, see scene/expression_keys.py
    direction: bpy.props.StringProperty(
        name="Direction",
        description="How the line is played, in words, for example: tired but relieved, one eyebrow up. English is "
        "understood best; of German, French, Spanish and Japanese, about 60 words each",
        maxlen=MAX_DIRECTION,
        translation_context=OWN_CONTEXT,  # Blender translates "Direction" as one in space
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="Intensity of the expression. 0 is none",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    mix: bpy.props.FloatProperty(
        name="Mix",
        description="How much the chosen emotion replaces the one that is detected in the audio",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    transition: bpy.props.FloatProperty(
        name="Transition",
        description="Duration of the change from one keyed emotion to the next",
        default=0.5,
        min=0.0,
        max=5.0,
        soft_max=2.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    passing: bpy.props.EnumProperty(
        name="Transition By",
        description="How one keyed emotion becomes the next",
        items=[
            (
                emotion_control.CIRCLE,
                "By the Circle of Affect",
                "Pass what lies between: neutral on a long way, hints of emotions beside it, in up to twice the time",
            ),
            (emotion_control.DIRECT, "Cross-Fade", "Mix both. Half way, the face shows half of each"),
        ],
        default=emotion_control.CIRCLE,
    )
    valence: bpy.props.FloatProperty(
        name="Valence",
        description="How pleasant the emotion is: -1 is unpleasant, 1 is pleasant, 0 with Arousal at 0 is neutral",
        default=0.0,
        min=-1.0,
        max=1.0,
    )
    arousal: bpy.props.FloatProperty(
        name="Arousal",
        description="How excited the emotion is: -1 is sleepy, 1 is excited",
        default=0.0,
        min=-1.0,
        max=1.0,
    )
    follow_sentence: bpy.props.BoolProperty(
        name="Follow Sentence",
        description="Changes of the emotion move to the start of a phrase that is near, and the expression eases in "
        "long pauses. Heard when you generate",
        default=False,
    )
    follow_words: bpy.props.FloatProperty(
        name="Follow Words",
        description="How much the strength follows the weight of the words: stressed words show more of the emotion",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
