"""How many takes of a line, kept with the scene."""

import bpy


class LSF_PG_takes(bpy.types.PropertyGroup):
    count: bpy.props.IntProperty(
        name="Takes",
        description="How many takes of the line to generate, with seeds one after the other",
        default=4,
        min=2,
        max=20,
    )
    temperature: bpy.props.FloatProperty(
        name="Variation", description="How much the takes differ: their temperature", default=0.2, min=0.01, max=2.0
    )
