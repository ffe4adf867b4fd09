"""The emotion of a performance, stored in the scene so that it can be keyed on the timeline."""

import bpy

from ...client.wire import EMOTIONS
from ..translations import OWN_CONTEXT

FROM_AUDIO = "voice"  # identifier of the choice to use the emotion that is detected in the audio


def emotion_label(emotion: str) -> str:
    """Return the adjective that the interface shows for an emotion of docs/protocol.md."""
    return "Contemptuous" if emotion == "contempt" else emotion.capitalize()


class LSF_PG_emotion(bpy.types.PropertyGroup):
    chosen: bpy.props.EnumProperty(
        name="Emotion",
        description="Emotion that the face shows. Insert keyframes to change it over time",
        items=[
            (FROM_AUDIO, "From Audio", "Use the emotion that is detected in the audio", 0),
            *(
                (name, emotion_label(name), f"{emotion_label(name)}, regardless of the audio", i + 1)
                for i, name in enumerate(EMOTIONS)
            ),
        ],
        default=FROM_AUDIO,
    )
    direction: bpy.props.StringProperty(
        name="Direction",
        description="How the line is spoken, in a few English words, for example: tired but relieved",
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
