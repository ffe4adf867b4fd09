"""How many takes of a line, kept with the scene."""

import bpy


class LSF_PG_takes(bpy.types.PropertyGroup):
    count: bpy.props.IntProperty(
        name="Takes",
        description="How many takes Generate Takes makes. The first of them is the number in Take",
        default=4,
        min=2,
        max=20,
    )
