"""The parts, landmarks and own shape keys of a face, stored in the head object."""

import bpy

from ...rigs import families
from ...rigs.mapping import Mapping
from ...scene import parts, rig
from ...scene.access import mesh_of
from .bones import LSF_PG_bones
from .expression_bank import LSF_PG_expression
from .layers import LSF_PG_nod
from .style import LSF_PG_style


def _may_be_part(part: "LSF_PG_part", obj: bpy.types.Object) -> bool:
    """Return whether an object can be chosen as a part of the head that owns the list."""
    return obj.type == "MESH" and obj != part.id_data


class LSF_PG_part(bpy.types.PropertyGroup):
    object: bpy.props.PointerProperty(
        name="Object", description="Mesh object that belongs to this head", type=bpy.types.Object, poll=_may_be_part
    )
    kind: bpy.props.EnumProperty(
        name="Part", description="Part of the face that this object is", items=parts.ENUM_ITEMS, default="AUTOMATIC"
    )
    recognised: bpy.props.StringProperty(
        name="Recognised", description="Part that this object was last recognised as", options={"HIDDEN"}
    )
    is_doubtful: bpy.props.BoolProperty(
        name="Doubtful", description="Name and shape of this object contradict each other", options={"HIDDEN"}
    )


class LSF_PG_landmark(bpy.types.PropertyGroup):
    """A landmark on a triangle of the mesh, see scene/landmarks/store.py."""

    index: bpy.props.IntProperty(name="Index", description="Number of the landmark, 0 to 67")
    corners: bpy.props.IntVectorProperty(
        name="Corners", description="Vertices of the triangle that the landmark lies on", size=3
    )
    weights: bpy.props.FloatVectorProperty(name="Weights", description="Barycentric weights of these vertices", size=3)
    position: bpy.props.FloatVectorProperty(
        name="Position", description="Position on the base shape when the landmark was set", size=3, subtype="XYZ"
    )
    vertex_count: bpy.props.IntProperty(
        name="Vertices", description="Vertex count of the mesh when the landmark was set"
    )
    doubtful: bpy.props.BoolProperty(name="Doubtful", description="The artist should check this landmark")
    accepted: bpy.props.BoolProperty(
        name="Accepted", description="The artist has checked this landmark and kept its position"
    )


class LSF_PG_seam_point(bpy.types.PropertyGroup):
    """A point of the seam of welded lips, see scene/mouth_seam.py."""

    ends: bpy.props.IntVectorProperty(name="Ends", description="Vertices of the edge that the point lies on", size=2)
    share: bpy.props.FloatProperty(name="Share", description="How far along the edge it lies, 0 to 1")


def _channel_names(_row: "LSF_PG_mapping_row", _context: bpy.types.Context, typed: str) -> list[str]:
    """Return the ARKit channels whose names contain the typed text."""
    return [channel for channel in families.channels() if typed.lower() in channel.lower()]


def _key_names(row: "LSF_PG_mapping_row", _context: bpy.types.Context, typed: str) -> list[str]:
    """Return the head's own shape keys whose names contain the typed text."""
    head = row.id_data
    names = rig.own_keys(mesh_of(head)) if isinstance(head, bpy.types.Object) else []
    return [name for name in names if typed.lower() in name.lower()]


class LSF_PG_mapping_row(bpy.types.PropertyGroup):
    key: bpy.props.StringProperty(
        name="Shape Key", description="One of the head's own shape keys", search=_key_names, search_options=set()
    )
    channel: bpy.props.StringProperty(
        name="Channel",
        description="Channel that the shape key follows. Leave empty to solve its value from its shape, as for visemes",
        search=_channel_names,
        search_options=set(),
    )
    gain: bpy.props.FloatProperty(
        name="Gain",
        description="Value of the shape key when the channel is 1. Not used if the value is solved from the shape",
        default=1.0,
        soft_min=-2.0,
        soft_max=2.0,
    )


class LSF_PG_face(bpy.types.PropertyGroup):
    parts: bpy.props.CollectionProperty(
        name="Parts", description="Mesh objects that belong to this head", type=LSF_PG_part
    )
    own_keys: bpy.props.EnumProperty(
        name="Own Shape Keys",
        description="How the shape keys that the head already has are used",
        items=[
            (
                "RECOGNISE",
                "Recognise",
                "Animate shape keys of a known kind (ARKit, visemes, VRM, MMD …). Add new ones if there are none",
            ),
            ("LIST", "Use List", "Animate the shape keys as the list below says"),
            ("IGNORE", "Add New Keys", "Add new shape keys. The head's own shape keys of the same names are animated"),
        ],
    )
    add_missing: bpy.props.BoolProperty(
        name="Add Missing Keys", description="Add shape keys for channels that none of the head's own shape keys shows"
    )
    mapping: bpy.props.CollectionProperty(
        name="Mapping", description="The channels that the head's own shape keys follow", type=LSF_PG_mapping_row
    )
    active_row: bpy.props.IntProperty(name="Active Row", options={"HIDDEN"})
    mapping_name: bpy.props.StringProperty(
        name="Mapping Name", description="Name of the mapping that was recognised or saved"
    )
    found_landmarks: bpy.props.CollectionProperty(
        name="Found Landmarks", description="Landmarks that were found automatically", type=LSF_PG_landmark
    )
    own_landmarks: bpy.props.CollectionProperty(
        name="Own Landmarks", description="Landmarks that were set by hand", type=LSF_PG_landmark
    )
    recognised: bpy.props.StringProperty(
        name="Recognised", description="Parts that were found in the head's mesh", options={"HIDDEN"}
    )
    lip_seam: bpy.props.CollectionProperty(
        name="Lip Seam", description="Where lips that are one surface would part", type=LSF_PG_seam_point
    )
    lip_seam_vertices: bpy.props.IntProperty(
        name="Lip Seam Vertices", description="Vertex count of the mesh when the seam was found", options={"HIDDEN"}
    )
    lip_seam_jaw: bpy.props.FloatProperty(
        name="Lip Seam Jaw", description="Share of the jaw's motion that welded lips leave", options={"HIDDEN"}
    )
    nod: bpy.props.PointerProperty(type=LSF_PG_nod)
    bones: bpy.props.PointerProperty(type=LSF_PG_bones)
    active_part: bpy.props.IntProperty(name="Active Part", options={"HIDDEN"})
    bank: bpy.props.CollectionProperty(
        name="Expression Bank", description="Expressions that you have made for this head", type=LSF_PG_expression
    )
    styles: bpy.props.CollectionProperty(
        name="Styles", description="Style cards of this head: how an actor moves", type=LSF_PG_style
    )
    active_style: bpy.props.IntProperty(
        name="Active Style", description="Double-click a name to change it", options=set()
    )
    removed_expressions: bpy.props.StringProperty(options={"HIDDEN"})  # JSON: {number: last name}
    active_expression: bpy.props.IntProperty(
        name="Active Expression", description="Double-click a name to change it", options=set()
    )

    def add_part(self, obj: bpy.types.Object) -> bool:
        """Add an object to the parts, unless it is one already; return whether it was added."""
        if any(part.object == obj for part in self.parts):
            return False
        self.parts.add().object = obj
        self.active_part = len(self.parts) - 1
        return True

    def set_mapping(self, mapping: Mapping) -> None:
        """Replace the list with a mapping, and drive the head's own shape keys with it."""
        self.mapping.clear()
        for row in mapping.rows:
            item = self.mapping.add()
            item.key, item.channel, item.gain = row.key, row.channel, row.gain
        self.mapping_name, self.own_keys, self.active_row = mapping.name, "LIST", 0
