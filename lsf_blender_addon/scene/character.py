"""Reads a character: the head, and the objects that move with it, like teeth, tongue, eyes and lashes."""

from dataclasses import replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from ..errors import UserError
from . import meshes, parts, rig, staleness
from .access import find_item
from .landmarks import store
from .own_properties import choice, face_of
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
        part.object: choice(part, "kind")
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
    own_keys = rig.read(head, list(zip(objects, members, strict=True)))
    return Character(
        tuple(members),
        np.concatenate(vertices),
        np.concatenate(triangles),
        np.concatenate(codes),
        store.own_positions(head, vertices[0]),
        own_keys,
        tuple(staleness.read(objects, listed_parts(head), own_keys)),
    )


def find_objects(character: Character, button: str = "Generate") -> tuple[list[bpy.types.Object], Character]:
    """The objects of a character's members, right before a result is written on them.

    Args:
        character: The character as it was sent to the server.
        button: What the artist presses to start again, in English.

    Returns:
        The objects, the head first, and the character with the names that they have now.

    Raises:
        UserError: An object is gone, its mesh can no longer be animated, or something that a result depends on was
            changed since the character was read.
    """
    by_id = {obj.session_uid: obj for obj in bpy.data.objects}
    known = [traits.object for traits in character.traits] or [0] * len(character.members)
    found: list[bpy.types.Object] = []
    for rest, uid in zip(character.members, known, strict=True):
        obj = by_id.get(uid) or find_item(bpy.data.objects, rest.object)
        if obj is None or not obj.users_scene:
            raise UserError(_again(iface('"{name}" was deleted').format(name=rest.object), button))
        meshes.check(obj)
        found.append(obj)
    if change := staleness.change(character, found, listed_parts(found[0])):
        raise UserError(_again(change, button))
    members = tuple(replace(rest, object=obj.name) for rest, obj in zip(character.members, found, strict=True))
    return found, replace(character, members=members)


def _again(change: str, button: str) -> str:
    """The sentence that says what has changed and what to press."""
    return iface("{change} while the result was made: press {button} again").format(change=change, button=iface(button))
