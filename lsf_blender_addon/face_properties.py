"""What the artist tells about a face, kept with the head object: its parts, landmarks and existing shape keys."""

import bpy

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


class LSF_PG_face(bpy.types.PropertyGroup):
    parts: bpy.props.CollectionProperty(
        name="Parts", description="Objects that belong to this head", type=LSF_PG_part)
    active_part: bpy.props.IntProperty(name="Active Part", options={"HIDDEN"})

    def add_part(self, obj: bpy.types.Object) -> bool:
        """List an object, if it is not listed yet."""
        if any(part.object == obj for part in self.parts):
            return False
        self.parts.add().object = obj
        self.active_part = len(self.parts) - 1
        return True
