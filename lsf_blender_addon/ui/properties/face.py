"""What the artist tells about a face, kept with the head object: its parts, landmarks and existing shape keys."""

import bpy

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import parts, rig
from .layers import LSF_PG_nod


def _may_be_part(part: "LSF_PG_part", obj: bpy.types.Object) -> bool:
    return obj.type == "MESH" and obj != part.id_data


class LSF_PG_part(bpy.types.PropertyGroup):
    object: bpy.props.PointerProperty(
        name="Object", description="A mesh object that belongs to this head", type=bpy.types.Object, poll=_may_be_part
    )
    kind: bpy.props.EnumProperty(name="Part", description="What this object is", items=parts.ENUM_ITEMS, default="AUTOMATIC")
    recognised: bpy.props.StringProperty(
        name="Recognised", description="What this object was taken for the last time", options={"HIDDEN"}
    )


class LSF_PG_landmark(bpy.types.PropertyGroup):
    """A point on a triangle, see landmarks/store.py."""

    index: bpy.props.IntProperty(name="Index", description="Its number of the 68, from 0")
    corners: bpy.props.IntVectorProperty(name="Corners", description="Vertices of the triangle that it lies on", size=3)
    weights: bpy.props.FloatVectorProperty(name="Weights", description="Share of each of these vertices", size=3)
    position: bpy.props.FloatVectorProperty(
        name="Position", description="Where it was on the base shape when it was set", size=3, subtype="XYZ"
    )
    vertex_count: bpy.props.IntProperty(name="Vertices", description="Of the mesh at that time")
    doubtful: bpy.props.BoolProperty(name="Doubtful", description="The artist should check it")
    accepted: bpy.props.BoolProperty(name="Accepted", description="The artist has looked at it and left it as it is")


def _channel_names(_row, _context: bpy.types.Context, typed: str) -> list[str]:
    return [channel for channel in families.channels() if typed.lower() in channel.lower()]


def _key_names(row: "LSF_PG_mapping_row", _context: bpy.types.Context, typed: str) -> list[str]:
    return [name for name in rig.own_keys(row.id_data.data) if typed.lower() in name.lower()]


class LSF_PG_mapping_row(bpy.types.PropertyGroup):
    key: bpy.props.StringProperty(
        name="Shape Key", description="One of the head's own shape keys", search=_key_names, search_options=set()
    )
    channel: bpy.props.StringProperty(
        name="Channel",
        description="The channel that the key follows. Left empty: the weight of the key is found from "
        "its shape, as for visemes",
        search=_channel_names,
        search_options=set(),
    )
    gain: bpy.props.FloatProperty(
        name="Gain",
        description="Value of the key at the channel's value 1. Not used where the weight is found from the shape",
        default=1.0,
        soft_min=-2.0,
        soft_max=2.0,
    )


class LSF_PG_face(bpy.types.PropertyGroup):
    parts: bpy.props.CollectionProperty(name="Parts", description="Objects that belong to this head", type=LSF_PG_part)
    own_keys: bpy.props.EnumProperty(
        name="Own Shape Keys",
        description="What happens with the shape keys that the head has already",
        items=[
            (
                "RECOGNISE",
                "Recognise",
                "Animate keys of a known kind (ARKit, visemes, VRM, MMD, …). Without such keys the head gets new ones",
            ),
            ("LIST", "By the List", "Animate the keys as the list below says"),
            ("IGNORE", "Add New Keys", "The head gets new keys, and its own of the same names are animated"),
        ],
    )
    add_missing: bpy.props.BoolProperty(
        name="Add Missing Keys", description="Give the head new keys for channels that none of its own keys shows"
    )
    mapping: bpy.props.CollectionProperty(
        name="Mapping", description="Which own key follows which channel", type=LSF_PG_mapping_row
    )
    active_row: bpy.props.IntProperty(name="Active Row", options={"HIDDEN"})
    mapping_name: bpy.props.StringProperty(
        name="Mapping Name", description="What the mapping was recognised or saved as"
    )
    found_landmarks: bpy.props.CollectionProperty(
        name="Found Landmarks", description="Where the points of the face were found", type=LSF_PG_landmark
    )
    own_landmarks: bpy.props.CollectionProperty(
        name="Own Landmarks", description="The points that were set by hand", type=LSF_PG_landmark
    )
    recognised: bpy.props.StringProperty(
        name="Recognised", description="The parts that were found in the head's mesh", options={"HIDDEN"}
    )
    nod: bpy.props.PointerProperty(type=LSF_PG_nod)
    active_part: bpy.props.IntProperty(name="Active Part", options={"HIDDEN"})

    def add_part(self, obj: bpy.types.Object) -> bool:
        """List an object, if it is not listed yet."""
        if any(part.object == obj for part in self.parts):
            return False
        self.parts.add().object = obj
        self.active_part = len(self.parts) - 1
        return True

    def set_mapping(self, mapping: Mapping) -> None:
        """Put a mapping into the list, instead of what is there, and use it."""
        self.mapping.clear()
        for row in mapping.rows:
            item = self.mapping.add()
            item.key, item.channel, item.gain = row.key, row.channel, row.gain
        self.mapping_name, self.own_keys, self.active_row = mapping.name, "LIST", 0
