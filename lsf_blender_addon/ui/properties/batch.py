"""The table of lines that Generate All generates, stored in the scene."""

import bpy

from ... import compat
from ...scene import strip_identity


def _is_mesh(_line: "LSF_PG_batch_line", obj: bpy.types.Object) -> bool:
    """Return whether an object can be chosen as a head."""
    return obj.type == "MESH"


def _remember_strip(line: "LSF_PG_batch_line", context: bpy.types.Context) -> None:
    """Remember which strip the row is for, so that it is found when it is renamed."""
    line.strip_id = strip_identity.chosen_id(compat.sequencer_scene(context), line.strip)


class LSF_PG_batch_line(bpy.types.PropertyGroup):
    use: bpy.props.BoolProperty(name="Generate", description="Generate this line", default=True)
    strip: bpy.props.StringProperty(  # its name when the row was made
        name="Strip", description="Sound strip of this line", update=_remember_strip
    )
    strip_id: bpy.props.StringProperty(name="Strip Identity", options={"HIDDEN"})  # of scene/strip_identity.py
    head: bpy.props.PointerProperty(
        name="Head", description="Mesh object that speaks this line", type=bpy.types.Object, poll=_is_mesh
    )

    @property
    def ticked(self) -> bool:
        """Whether Generate All generates this line: not without a head."""
        return self.use and self.head is not None

    def shown_strip(self, scene: bpy.types.Scene) -> str:
        """Return the present name of the strip, which is in this scene."""
        return strip_identity.present_name(scene, self.strip, self.strip_id)


class LSF_PG_batch(bpy.types.PropertyGroup):
    lines: bpy.props.CollectionProperty(
        name="Lines", description="The strips and the heads that speak them", type=LSF_PG_batch_line
    )
    active: bpy.props.IntProperty(name="Active Line", options={"HIDDEN"})
    source: bpy.props.EnumProperty(
        name="Strips",
        description="Which sound strips to list",
        items=(
            ("SELECTED", "Selected", "Only the selected sound strips"),
            ("ALL", "All", "All sound strips in the sequencer that are not muted"),
        ),
        default="ALL",
    )
    by: bpy.props.EnumProperty(
        name="Find Heads by",
        description="How the head of each strip is found",
        items=(
            ("NAME", "Strip Name", "The name of the strip contains the name of the head: Anna speaks Anna_03"),
            ("CHANNEL", "Channel Name", "The name of the strip's channel contains the name of the head"),
        ),
    )
