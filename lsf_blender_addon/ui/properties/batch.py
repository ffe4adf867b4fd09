"""The table of lines to generate in one go, kept with the scene."""

import bpy


def _is_mesh(_line, obj: bpy.types.Object) -> bool:
    return obj.type == "MESH"


class LSF_PG_batch_line(bpy.types.PropertyGroup):
    use: bpy.props.BoolProperty(name="Generate", description="Generate this line", default=True)
    strip: bpy.props.StringProperty(name="Strip", description="The sound strip to speak")
    head: bpy.props.PointerProperty(
        name="Head", description="The mesh that speaks this line", type=bpy.types.Object, poll=_is_mesh
    )


class LSF_PG_batch(bpy.types.PropertyGroup):
    lines: bpy.props.CollectionProperty(name="Lines", description="Who speaks which strip", type=LSF_PG_batch_line)
    active: bpy.props.IntProperty(name="Active Line", options={"HIDDEN"})
    source: bpy.props.EnumProperty(
        name="Strips",
        description="Which sound strips are listed",
        items=(
            ("SELECTED", "Selected", "The selected sound strips"),
            ("ALL", "All", "All sound strips of the sequencer that are not muted"),
        ),
        default="ALL",
    )
    by: bpy.props.EnumProperty(
        name="Heads by",
        description="How a head is found for each strip",
        items=(
            ("NAME", "Strip Name", "The strip's name holds that of the head: Anna_03 is spoken by Anna"),
            ("CHANNEL", "Channel Name", "The name of the strip's channel holds that of the head"),
        ),
    )
