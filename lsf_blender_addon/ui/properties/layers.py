"""The layers that Generate makes besides speech: blinks, gaze and head motion."""

import bpy


class LSF_PG_layers(bpy.types.PropertyGroup):
    """Which layers Generate makes. Stored in the scene."""

    blinks: bpy.props.BoolProperty(
        name="Blinks",
        description="Generate eye blinks at a natural rate, mostly at the ends of phrases. Each line can have fewer, "
        "other or none of them afterwards",
        default=True,
    )
    gaze: bpy.props.BoolProperty(
        name="Gaze",
        description="Generate small eye movements, as in a conversation. Each line can have other or none of them "
        "afterwards",
        default=True,
    )


class LSF_PG_nod(bpy.types.PropertyGroup):
    """What the head motion moves. Stored in the head object."""

    object: bpy.props.PointerProperty(
        name="Head Motion",
        description="Armature or object that nods with the voice. A constraint adds the motion to your own pose. "
        "Leave empty for no head motion",
        type=bpy.types.Object,
    )
    bone: bpy.props.StringProperty(name="Bone", description="Bone of the armature that nods, usually the head bone")
