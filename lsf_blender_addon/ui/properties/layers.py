"""What else a talking person does: which layers Generate makes, and what nods."""

import bpy

LAYERS = [
    ("blinks", "Blinks", "Lids close at a natural rate, mostly where phrases end"),
    ("gaze", "Gaze", "The eyes shift a little, as those of somebody who talks to somebody"),
    ("head", "Head", "The head nods on stressed syllables and sways a little"),
]


class LSF_PG_layers(bpy.types.PropertyGroup):
    """Kept with the scene."""

    blinks: bpy.props.BoolProperty(
        name="Blinks",
        description="Let the eyes blink at a natural rate, mostly where phrases end: a shape key and an "
        "NLA track of their own. Another take gives other blinks",
        default=True,
    )
    gaze: bpy.props.BoolProperty(
        name="Gaze",
        description="Let the eyes shift a little, as those of somebody who talks to somebody: an NLA "
        "track of its own. Another take gives other shifts",
        default=True,
    )


class LSF_PG_nod(bpy.types.PropertyGroup):
    """Kept with the head."""

    object: bpy.props.PointerProperty(
        name="Head Motion",
        description="What nods with the voice: the armature, or an object. A constraint adds the "
        "motion to your own pose. Left empty: nothing nods",
        type=bpy.types.Object,
    )
    bone: bpy.props.StringProperty(name="Bone", description="The bone of the armature that nods: the head's")
