"""Reads the shape keys that the artist made: their names, mapping, shapes and slider ranges."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from ..rigs import families
from ..rigs.mapping import Mapping, Row
from ..rigs.shape_check import Fault
from . import bones, empty_keys, extension, shape_keys
from .access import find_item, mesh_of
from .drivers import driven_keys
from .meshes import coordinates
from .own_properties import face_of, number
from .snapshots import RestMesh, Rig

MAX_MEASURED = 10_000  # vertices: what keys move is measured on so many of them, to be quick on fine meshes

if TYPE_CHECKING:
    from ..ui.properties.face import LSF_PG_face


def read(head: bpy.types.Object, members: list[tuple[bpy.types.Object, RestMesh]]) -> Rig | None:
    """The head's own keys that are to be driven.

    Keys without a shape, and keys that drivers move, are left out. Keys of another family stand in for them where they
    can.

    Args:
        head: The head's object.
        members: All objects of the character, the head first, with their meshes at rest.

    Returns:
        The rig; None if no own key is driven and no bone, so that all channels get new keys.
    """
    mesh = mesh_of(head)
    shape_keys.find_renamed(mesh)
    names = own_keys(mesh)
    for obj, _rest in members:
        empty_keys.forget(mesh_of(obj))
    chosen = mapping_of(head)
    by_name = chosen is None or not chosen.rows
    mapping = _named_like_channels(names) if chosen is None or by_name else chosen
    elsewhere = bones.channels(head)
    if not mapping.rows and not elsewhere:
        return None
    blocks = {key.name: key for key in mesh.shape_keys.key_blocks} if mesh.shape_keys else {}
    empty = _without_shape([obj for obj, _rest in members])
    faults = dict.fromkeys(empty, Fault.EMPTY) | dict.fromkeys(driven_keys(mesh), Fault.DRIVEN)
    rows = mapping.rows
    if face_of(head).own_keys == "RECOGNISE" and not by_name:  # a recognised mapping has no rows of empty keys
        rows = (*rows, *families.without_shape(names, known_families(), mapping, empty))
    left_out = tuple((row, faults[row.key]) for row in rows if row.key in faults)
    mapping = mapping.restricted_to(set(names) - faults.keys())
    fillers = families.fillers(names, known_families(), mapping, frozenset(faults)) if left_out else ()
    mapping = Mapping(mapping.name, (*mapping.rows, *fillers))
    step = -(-sum(len(rest.vertices) for _obj, rest in members) // MAX_MEASURED)
    return Rig(
        mapping,
        limits={name: (blocks[name].slider_min, blocks[name].slider_max) for name in names},
        shapes=_shapes(members, mapping.solved),
        add_missing=by_name or face_of(head).add_missing,
        head=len(mesh.vertices),
        direct_shapes=_shapes(members, mapping.direct, step),
        by_name=by_name,
        left_out=left_out,
        stand_ins=tuple(dict.fromkeys(row.key for row in fillers)),
        elsewhere=elsewhere,
        by_list=face_of(head).own_keys == "LIST",
        step=step,
    )


def _without_shape(objects: list[bpy.types.Object]) -> frozenset[str]:
    """Names of the head's keys that have no shape, neither on the head, the first of the objects, nor on a part."""
    empty = empty_keys.find(mesh_of(objects[0]))
    for obj in objects[1:]:
        mesh = mesh_of(obj)
        shaped = {key.name for key in mesh.shape_keys.key_blocks} if mesh.shape_keys else set()
        empty -= shaped - empty_keys.find(mesh)
    return empty


def _named_like_channels(names: list[str]) -> Mapping:
    """The mapping of keys that have the names of channels to these channels."""
    return Mapping("", tuple(Row(name, name) for name in names if name in families.channels()))


def own_keys(mesh: bpy.types.Mesh) -> list[str]:
    """Names of the keys that were not generated, without the Basis."""
    if mesh.shape_keys is None:
        return []
    generated = shape_keys.marked(mesh)
    basis = mesh.shape_keys.reference_key
    return [key.name for key in mesh.shape_keys.key_blocks if key != basis and key.name not in generated]


def mapping_of(head: bpy.types.Object) -> Mapping | None:
    """The mapping from channels to the head's own keys that is in use, without keys that are gone.

    It is the recognised one, or the artist's list, as chosen in the panel; None if own keys are not driven.
    """
    face = face_of(head)
    if face.own_keys == "IGNORE":
        return None
    if face.own_keys == "RECOGNISE":
        return recognised_mapping(head)
    return Mapping(face.mapping_name, mapping_rows(face)).restricted_to(set(own_keys(mesh_of(head))))


def mapping_rows(face: "LSF_PG_face") -> tuple[Row, ...]:
    """The rows of the artist's list that name a key."""
    return tuple(Row(row.key, row.channel, number(row, "gain")) for row in face.mapping if row.key)


def recognised_mapping(head: bpy.types.Object) -> Mapping | None:
    """The mapping that fits the names of the head's own keys; the artist's saved mappings take precedence."""
    names = own_keys(mesh_of(head))
    return families.recognise(names, known_families(), empty_keys.find(mesh_of(head))) if names else None


def known_families() -> list[families.Family]:
    """The mappings that the artist has saved, and the built-in families, in order of preference."""
    return [*families.saved(saved_mappings_folder())[0], *families.built_in()]


def saved_mappings_folder() -> Path:
    """The folder with the artist's saved mappings."""
    return extension.user_folder() / "rigs"


def _shapes(
    members: list[tuple[bpy.types.Object, RestMesh]], names: tuple[str, ...], step: int = 1
) -> NDArray[np.float32]:
    """(N, V, 3) offsets of N keys at value 1 on all members, in world axes; zeros where an object has no such key.

    With a `step`, those of every `step`-th vertex of all members together.
    """
    first, shapes = 0, []
    for obj, rest in members:
        every = slice(-first % step, None, step)
        shapes.append(_offsets(obj, names, every) @ np.linalg.inv(rest.to_local).astype(np.float32))
        first += len(rest.vertices)
    return np.concatenate(shapes, axis=1)


def _offsets(obj: bpy.types.Object, names: tuple[str, ...], every: slice) -> NDArray[np.float32]:
    """(N, V, 3) offsets of N keys at value 1 in the object's own space; zeros if it has no such key."""
    mesh = mesh_of(obj)
    offsets = np.zeros((len(names), len(range(len(mesh.vertices))[every]), 3), np.float32)
    relative: dict[str, NDArray[np.float32]] = {}  # most keys are relative to the same one, the Basis
    for row, name in zip(offsets, names, strict=True):
        key = find_item(mesh.shape_keys.key_blocks, name) if mesh.shape_keys else None
        if key is None:
            continue
        base = key.relative_key
        if base.name not in relative:
            relative[base.name] = coordinates(base.points)[every]
        np.subtract(coordinates(key.points)[every], relative[base.name], out=row)
        group = find_item(obj.vertex_groups, key.vertex_group) if key.vertex_group else None
        if group is not None:
            row *= np.array([_weight(vertex, group.index) for vertex in list(mesh.vertices)[every]], np.float32)[
                :, None
            ]
    return offsets


def _weight(vertex: bpy.types.MeshVertex, group: int) -> float:
    """Weight of a vertex in a vertex group; 0 if it is not in it."""
    return next((element.weight for element in vertex.groups if element.group == group), 0.0)
