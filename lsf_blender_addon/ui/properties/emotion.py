"""The emotion of a performance, kept with the scene so that it can be keyed on the timeline."""

import bpy

from ...scene.emotion_control import EMOTIONS
from ..translations import OURS

VOICE = "voice"


class LSF_PG_emotion(bpy.types.PropertyGroup):
    chosen: bpy.props.EnumProperty(
        name="Emotion",
        description="What the face expresses. Key it to change it along the timeline",
        items=[
            (VOICE, "As the Voice", "What the voice implies", 0),
            *(
                (name, name.capitalize(), f"{name.capitalize()}, whatever the voice implies", i + 1)
                for i, name in enumerate(EMOTIONS)
            ),
        ],
        default=VOICE,
    )
    direction: bpy.props.StringProperty(
        name="Direction",
        description="How the line is to be said, in a few English words: tired but relieved",
        translation_context=OURS,
    )  # Blender knows "Direction" as one in space
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How strong the expression is; 0 is none",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    mix: bpy.props.FloatProperty(
        name="Mix",
        description="How much the emotion that you chose takes the place of what the voice implies",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    transition: bpy.props.FloatProperty(
        name="Transition",
        description="How long the face takes to change from one keyed emotion to the next",
        default=0.5,
        min=0.0,
        max=5.0,
        soft_max=2.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
