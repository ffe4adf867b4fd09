"""The character as one mesh: the head, and the objects that move with it, like teeth, tongue, eyes and lashes."""

import bpy
import numpy as np

from ..errors import UserError
from . import meshes, parts, rig
from .landmarks import store
from .snapshots import Character


def find_parts(context: bpy.types.Context, head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that go with the head, and their kinds: those listed for it, else those selected together with it,
    but for other heads.
    """
    parts_of_it = listed_parts(head)
    if parts_of_it or not head.select_get():
        return parts_of_it
    return {
        obj: "AUTOMATIC"
        for obj in context.selected_objects
        if obj.type == "MESH" and obj != head and not (obj.lsf.found_landmarks or obj.lsf.parts)
    }


def listed_parts(head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that are listed as parts of the head, and their kinds."""
    return {
        part.object: part.kind
        for part in head.lsf.parts
        if part.object is not None and part.object != head and part.object.users_scene
    }


def read(head: bpy.types.Object, others: dict[bpy.types.Object, str]) -> Character:
    """The rest shape of the head and of what goes with it. Raises UserError."""
    members, vertices, triangles, codes = [], [], [], []
    first, objects = 0, {head: "AUTOMATIC"} | others
    for obj, kind in objects.items():
        rest = meshes.read_rest(obj)
        members.append(rest)
        vertices.append(rest.vertices + (rest.origin - members[0].origin).astype(np.float32))
        triangles.append(rest.triangles + first)
        codes.append(parts.read(obj, kind))
        first += len(rest.vertices)
    return Character(
        tuple(members),
        np.concatenate(vertices),
        np.concatenate(triangles),
        np.concatenate(codes),
        store.own_positions(head, vertices[0]),
        rig.read(head, list(zip(objects, members, strict=True))),
    )


def find_objects(character: Character) -> list[bpy.types.Object]:
    """The members' objects, which are all still there and can be written to. Raises UserError."""
    found = []
    for rest in character.members:
        obj = bpy.data.objects.get(rest.object)
        if obj is None or not obj.users_scene:
            raise UserError(
                f'"{rest.object}" is gone or was renamed while its animation was made: press Generate again'
            )
        meshes.check(obj)
        found.append(obj)
    return found
