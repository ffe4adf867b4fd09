"""What the artist tells about a face, kept with the head object: its parts, landmarks and existing shape keys."""

import bpy

from .layer_properties import LSF_PG_nod
from .scene import parts


def _may_be_part(part: "LSF_PG_part", obj: bpy.types.Object) -> bool:
    return obj.type == "MESH" and obj != part.id_data


class LSF_PG_part(bpy.types.PropertyGroup):
    object: bpy.props.PointerProperty(
        name="Object", description="A mesh object that belongs to this head", type=bpy.types.Object, poll=_may_be_part)
    kind: bpy.props.EnumProperty(
        name="Part", description="What this object is", items=parts.ENUM, default="AUTOMATIC")
    recognised: bpy.props.StringProperty(
        name="Recognised", description="What this object was taken for the last time", options={"HIDDEN"})


class LSF_PG_landmark(bpy.types.PropertyGroup):
    """A point on a triangle, see landmarks/store.py."""

    index: bpy.props.IntProperty(name="Index", description="Its number of the 68, from 0")
    corners: bpy.props.IntVectorProperty(name="Corners", description="Vertices of the triangle that it lies on", size=3)
    weights: bpy.props.FloatVectorProperty(name="Weights", description="Share of each of these vertices", size=3)
    position: bpy.props.FloatVectorProperty(
        name="Position", description="Where it was on the base shape when it was set", size=3, subtype="XYZ")
    vertex_count: bpy.props.IntProperty(name="Vertices", description="Of the mesh at that time")
    doubtful: bpy.props.BoolProperty(name="Doubtful", description="The artist should check it")


class LSF_PG_face(bpy.types.PropertyGroup):
    parts: bpy.props.CollectionProperty(
        name="Parts", description="Objects that belong to this head", type=LSF_PG_part)
    found_landmarks: bpy.props.CollectionProperty(
        name="Found Landmarks", description="Where the points of the face were found", type=LSF_PG_landmark)
    own_landmarks: bpy.props.CollectionProperty(
        name="Own Landmarks", description="The points that were set by hand", type=LSF_PG_landmark)
    recognised: bpy.props.StringProperty(
        name="Recognised", description="The parts that were found in the head's mesh", options={"HIDDEN"})
    nod: bpy.props.PointerProperty(type=LSF_PG_nod)
    active_part: bpy.props.IntProperty(name="Active Part", options={"HIDDEN"})

    def add_part(self, obj: bpy.types.Object) -> bool:
        """List an object, if it is not listed yet."""
        if any(part.object == obj for part in self.parts):
            return False
        self.parts.add().object = obj
        self.active_part = len(self.parts) - 1
        return True
