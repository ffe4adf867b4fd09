"""Reads a character: the head, and the objects that move with it, like teeth, tongue, eyes and lashes."""

import bpy
import numpy as np

from ..errors import UserError
from . import meshes, parts, rig
from .access import find_item
from .landmarks import store
from .own_properties import face_of
from .snapshots import Character


def find_parts(context: bpy.types.Context, head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that belong to the head, and their kinds (see scene/parts.py).

    They are those listed for it; without a list, the other selected mesh objects that are not heads, if the head is
    selected too.
    """
    listed = listed_parts(head)
    if listed or not head.select_get():
        return listed
    return {
        obj: "AUTOMATIC"
        for obj in context.selected_objects
        if obj.type == "MESH" and obj != head and not (face_of(obj).found_landmarks or face_of(obj).parts)
    }


def listed_parts(head: bpy.types.Object) -> dict[bpy.types.Object, str]:
    """The objects that are listed as parts of the head and still in a scene, and their kinds."""
    return {
        part.object: part.kind
        for part in face_of(head).parts
        if part.object is not None and part.object != head and part.object.users_scene
    }


def read(head: bpy.types.Object, others: dict[bpy.types.Object, str]) -> Character:
    """The character at rest.

    Args:
        head: The head's object.
        others: The objects that belong to it, and their kinds, as `find_parts` returns them.

    Raises:
        UserError: One of the meshes cannot be animated.
    """
    members, vertices, triangles, codes = [], [], [], []
    first, objects = 0, {head: "AUTOMATIC"} | others
    for obj, kind in objects.items():
        rest = meshes.read_rest(obj)
        members.append(rest)
        vertices.append(rest.vertices + (rest.origin - members[0].origin).astype(np.float32))
        triangles.append(rest.triangles + first)
        codes.append(parts.read(obj, kind, obj == head))
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
    """The objects of a character's members, the head first.

    Raises:
        UserError: An object is gone, or its mesh can no longer be animated.
    """
    found: list[bpy.types.Object] = []
    for rest in character.members:
        obj = find_item(bpy.data.objects, rest.object)
        if obj is None or not obj.users_scene:
            raise UserError(
                f'"{rest.object}" is gone or was renamed while its animation was made: press Generate again'
            )
        meshes.check(obj)
        found.append(obj)
    return found
