"""The number of takes to generate, stored in the scene."""

import bpy


class LSF_PG_takes(bpy.types.PropertyGroup):
    count: bpy.props.IntProperty(
        name="Takes",
        description="Number of takes that Generate Takes makes. They are numbered from the value of Take on",
        default=4,
        min=2,
        max=20,
    )
