"""Tells whether a character is still what a job was started from: else the result would move the wrong vertices.

All that the result depends on is compared: faces, shape at rest, the shapes of the head's own keys that are in use,
landmarks, parts, bones. Names may change meanwhile, as may the frame, the pose, generated keys, and the place of the
whole character in the world.

Arrays are compared by fingerprints. Each is a sum of the array's numbers times fixed weights, modulo 2^64: 20 times
faster than a cryptographic hash, which would protect from forgery, but the artist's edits are no forgery.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from .. import compat
from . import bones, meshes, parts, shape_keys
from .access import find_item, mesh_of
from .own_properties import face_of
from .snapshots import Character, Rig, Traits

SAMPLED = 2000  # vertices of a vertex group whose weights are compared: Blender reads them only one by one
SAME_PLACE = 1e-3  # of the head's size, and of a rotation or scale of 1: matrices in single precision differ by less
LEFT_OUT = {"name", "is_active", "use_pin_to_last"}  # properties of a modifier that do not bend a mesh

_weights: NDArray[np.uint64] = np.zeros(0, np.uint64)  # as many as were needed so far, always the same ones


def read(
    objects: Mapping[bpy.types.Object, str], listed: Mapping[bpy.types.Object, str], rig: Rig | None
) -> list[Traits]:
    """What the members of a character are now.

    Args:
        objects: The objects and their kinds (see scene/parts.py), the head first.
        listed: Those that are in the head's list of parts, and their kinds.
        rig: The head's own keys that are to be driven.
    """
    head = next(iter(objects))
    to_head = meshes.rest_matrix(head).inverted_safe()
    size = float(np.linalg.norm(np.ptp(meshes.base_vertices(mesh_of(head)), axis=0)))
    names = tuple(dict.fromkeys(row.key for row in rig.mapping.rows)) if rig else ()
    found = []
    for obj, kind in objects.items():
        mesh, base = mesh_of(obj), meshes.base_vertices(mesh_of(obj))
        found.append(
            Traits(
                obj.session_uid,
                obj in listed,
                _faces(mesh),
                (fingerprint(base), _shaping_modifiers(obj)),
                _keys(obj, names),
                (kind, _vertex_parts(mesh)),
                _landmarks(obj) if obj == head else (),
                bones.channels(obj) if obj == head else (),
                _proportions(obj) if obj == head else np.array(to_head @ meshes.rest_matrix(obj)),
                _set_by_hand(obj),
                size,
            )
        )
    return found


def change(character: Character, objects: Sequence[bpy.types.Object], listed: Mapping[bpy.types.Object, str]) -> str:
    """What was changed of a character since it was read, as the beginning of a sentence; empty if nothing was.

    Args:
        character: The character.
        objects: The objects of its members.
        listed: The objects that are in the head's list of parts now, and their kinds.
    """
    if not character.traits:  # it was made without a file
        return ""
    before = character.traits
    after = read({obj: listed.get(obj, "AUTOMATIC") for obj in objects}, listed, character.rig)
    for obj, was, now in zip(objects, before, after, strict=True):
        # Animation and poses may move the members against each other, so a move counts if a hand has made it.
        is_moved = (now.by_hand, after[0].by_hand) != (was.by_hand, before[0].by_hand) and _is_elsewhere(now, was)
        changes = {
            iface('The mesh of "{name}" was changed'): now.faces != was.faces,
            iface('The shape of "{name}" was changed'): now.shape != was.shape,
            iface('The shape keys of "{name}" were changed'): now.keys != was.keys,
            iface('The part chosen for "{name}" was changed'): now.part != was.part or (was.listed and not now.listed),
            iface('The landmarks of "{name}" were changed'): now.landmarks != was.landmarks,
            iface('The bones that move the face of "{name}" were changed'): now.bones != was.bones,
            iface('"{name}" was moved, turned or scaled'): is_moved,
        }
        if found := next((text for text, is_changed in changes.items() if is_changed), ""):
            return found.format(name=obj.name)
    return ""


def fingerprint(array: NDArray[Any]) -> tuple[int, int]:
    """The fingerprint of an array of 4-byte numbers: equal for equal arrays, and for others practically never."""
    flat = np.ascontiguousarray(array).ravel()
    return len(flat), _weighted(np.append(flat, flat.dtype.type(0)) if len(flat) % 2 else flat)


def _weighted(even: NDArray[Any]) -> int:
    """The weighted sum of an even number of 4-byte numbers."""
    global _weights
    words = even.view(np.uint64)
    if len(words) > len(_weights):
        rng = np.random.default_rng(0)
        _weights = rng.integers(0, 2**64, len(words), np.uint64) | np.uint64(1)  # odd: no change of a word is lost
    return int(np.dot(words, _weights[: len(words)]))


def _points(points: bpy.types.bpy_prop_collection, buffer: NDArray[np.float32]) -> Hashable:
    """The fingerprint of where points are; the buffer has room for them, and ends in a zero if their number is odd."""
    count = 3 * len(points)
    if count not in (len(buffer), len(buffer) - 1):  # a script has added vertices to the mesh and not to its keys
        return fingerprint(meshes.coordinates(points))
    points.foreach_get("co", buffer[:count])
    return len(points), _weighted(buffer)


def _faces(mesh: bpy.types.Mesh) -> Hashable:
    """The fingerprint of how the faces of a mesh join its vertices."""
    starts = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    return len(mesh.vertices), fingerprint(starts), fingerprint(compat.corner_vertices(mesh))


def _keys(obj: bpy.types.Object, names: Iterable[str]) -> dict[str, Hashable]:
    """The fingerprints of shape keys, with what their shapes are relative to and limited to, as far as they exist."""
    keys = mesh_of(obj).shape_keys
    found: dict[str, Hashable] = {}
    count = 3 * len(mesh_of(obj).vertices)
    buffer = np.zeros(count + count % 2, np.float32)  # one for all: new memory takes as long as reading
    generated = shape_keys.marked(mesh_of(obj))  # a part gets keys of the names of the head's, with the first result
    for name in names if keys else ():
        key = find_item(keys.key_blocks, name)
        if key is not None and name not in generated:
            relative = key.relative_key
            rest = None if relative == keys.reference_key else _points(relative.points, buffer)
            group = find_item(obj.vertex_groups, key.vertex_group) if key.vertex_group else None
            found[name] = _points(key.points, buffer), rest, None if group is None else _group(obj, group.index)
    return found


def _group(obj: bpy.types.Object, index: int) -> Hashable:
    """Weights of some vertices in a vertex group."""
    vertices = mesh_of(obj).vertices
    every = range(0, len(vertices), -(-len(vertices) // SAMPLED) or 1)
    return tuple(element.weight for i in every for element in vertices[i].groups if element.group == index)


def _vertex_parts(mesh: bpy.types.Mesh) -> Hashable:
    """The fingerprint of the parts that are set for individual vertices."""
    stored = parts.stored(mesh)
    return None if stored is None else fingerprint(stored)


def _shaping_modifiers(obj: bpy.types.Object) -> Hashable:
    """The modifiers that bend a mesh at rest, with their settings, unless something animates the object."""
    shaping = [modifier for modifier in obj.modifiers if meshes.is_shaping(modifier)]
    if obj.animation_data is not None:
        return tuple(modifier.type for modifier in shaping)
    return tuple((modifier.type, _settings(modifier)) for modifier in shaping)


def _settings(modifier: bpy.types.Modifier) -> Hashable:
    """The settings of a modifier; those that only the interface has are left out."""
    found: list[Hashable] = []
    for prop in modifier.bl_rna.properties:
        name = prop.identifier
        if prop.type == "POINTER":
            value = getattr(modifier, name)
            found.append(value.session_uid if isinstance(value, bpy.types.ID) else None)
        elif prop.type != "COLLECTION" and not (prop.is_readonly or name.startswith("show_") or name in LEFT_OUT):
            value = getattr(modifier, name)
            found.append(str(value[:]) if getattr(prop, "is_array", False) else str(value))
    return tuple(found)


def _landmarks(head: bpy.types.Object) -> Hashable:
    """The landmarks that the artist has set."""
    return tuple(sorted((item.index, *item.corners, *item.weights) for item in face_of(head).own_landmarks))


def _proportions(head: bpy.types.Object) -> NDArray[np.float64]:
    """How the head's object stretches and mirrors its mesh, (3, 3), whatever its size and rotation."""
    axes = np.array(meshes.rest_matrix(head))[:3, :3]
    gram = axes.T @ axes
    proportions: NDArray[np.float64] = gram / max(float(np.trace(gram)), 1e-30) * 3 * np.sign(np.linalg.det(axes))
    return proportions


def _is_elsewhere(now: Traits, was: Traits) -> bool:
    """Whether a part stands elsewhere against its head, or a head is stretched in another way."""
    away = np.abs(now.stands - was.stands)
    if away.shape == (4, 4):
        away[:3, 3] /= max(was.size, 1e-30)
    return bool(away.max() > SAME_PLACE)


def _set_by_hand(obj: bpy.types.Object) -> Hashable:
    """The transforms of an object and of its parents, as far as nothing animates them."""
    found: list[Hashable] = []
    above: bpy.types.Object | None = obj
    while above is not None:
        data = above.animation_data
        if data is None or not (data.action or data.nla_tracks or data.drivers):
            matrices = above.matrix_basis, above.matrix_parent_inverse
            found += [tuple(np.array(matrix).ravel().tolist()) for matrix in matrices]
        above = above.parent
    return tuple(found)
