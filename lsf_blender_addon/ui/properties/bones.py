"""The bones that channels move, stored in the head object."""

import bpy

from ...rigs import families


def _is_armature(_bones: "LSF_PG_bones", obj: bpy.types.Object) -> bool:
    """Return whether an object can be chosen."""
    return obj.type == "ARMATURE"


def _channel_names(_bones: "LSF_PG_bones", _context: bpy.types.Context, typed: str) -> list[str]:
    """Return the ARKit channels whose names contain the typed text."""
    return [channel for channel in families.channels() if typed.lower() in channel.lower()]


class LSF_PG_bone_pose(bpy.types.PropertyGroup):
    """How a bone stands where a channel is 1, relative to its rest."""

    channel: bpy.props.StringProperty(name="Channel", description="Channel that moves the bone")
    bone: bpy.props.StringProperty(name="Bone", description="Bone that the channel moves")
    location: bpy.props.FloatVectorProperty(name="Location", description="How far the bone moves", size=3)
    rotation: bpy.props.FloatVectorProperty(
        name="Rotation", description="Axis times angle by which the bone turns", size=3, subtype="NONE"
    )
    scale: bpy.props.FloatVectorProperty(name="Scale", description="What is added to the scale of the bone", size=3)


class LSF_PG_bones(bpy.types.PropertyGroup):
    armature: bpy.props.PointerProperty(
        name="Armature",
        description="Armature whose bones move the face, or a part of it like the jaw",
        type=bpy.types.Object,
        poll=_is_armature,
    )
    action: bpy.props.PointerProperty(
        name="Action", description="Generated Action of the bones", type=bpy.types.Action, options={"HIDDEN"}
    )
    channel: bpy.props.StringProperty(
        name="Channel",
        description="Channel that your pose shows at its full value",
        default="jawOpen",
        search=_channel_names,
        search_options=set(),
    )
    rows: bpy.props.CollectionProperty(name="Bones", description="The bones that channels move", type=LSF_PG_bone_pose)
    active_row: bpy.props.IntProperty(name="Active Row", options={"HIDDEN"})
    shown: bpy.props.StringProperty(
        name="Shown", description="Channel whose pose is shown at the moment", options={"HIDDEN"}
    )
    kept: bpy.props.StringProperty(
        name="Kept", description="How the bones stood before the pose was shown", options={"HIDDEN"}
    )
