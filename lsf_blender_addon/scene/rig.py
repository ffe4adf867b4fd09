"""Reads the shape keys that the artist made: their names, mapping, shapes and slider ranges."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..rigs import families
from ..rigs.mapping import Mapping, Row
from . import extension, shape_keys
from .access import find_item, mesh_of
from .meshes import coordinates
from .own_properties import face_of
from .snapshots import RestMesh, Rig

if TYPE_CHECKING:
    from ..ui.properties.face import LSF_PG_face


def read(head: bpy.types.Object, members: list[tuple[bpy.types.Object, RestMesh]]) -> Rig | None:
    """The head's own keys that are to be driven.

    Args:
        head: The head's object.
        members: All objects of the character, the head first, with their meshes at rest.

    Returns:
        The rig; None if no own key is driven, so that all channels get new keys.
    """
    mapping = mapping_of(head)
    if mapping is None or not mapping.rows:
        return None
    mesh = mesh_of(head)
    blocks = mesh.shape_keys.key_blocks
    limits = {name: (blocks[name].slider_min, blocks[name].slider_max) for name in own_keys(mesh)}
    shapes = [np.concatenate([_offsets(obj, name, rest) for obj, rest in members]) for name in mapping.solved]
    count = sum(len(rest.vertices) for _obj, rest in members)
    return Rig(
        mapping,
        limits,
        np.array(shapes, np.float32).reshape(-1, count, 3),
        face_of(head).add_missing,
        len(mesh.vertices),
    )


def check(head: bpy.types.Object, rig: Rig | None) -> None:
    """Make sure that the keys of a rig are still there.

    Raises:
        UserError: One of them is gone.
    """
    if rig is not None and not {row.key for row in rig.mapping.rows} <= set(own_keys(mesh_of(head))):
        raise UserError(
            f'The shape keys of "{head.name}" were changed while its animation was made: press Generate again'
        )


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
    return tuple(Row(row.key, row.channel, row.gain) for row in face.mapping if row.key)


def recognised_mapping(head: bpy.types.Object) -> Mapping | None:
    """The mapping that fits the names of the head's own keys; the artist's saved mappings take precedence."""
    names = own_keys(mesh_of(head))
    if not names:
        return None
    return families.recognise(names, [*families.saved(saved_mappings_folder())[0], *families.built_in()])


def saved_mappings_folder() -> Path:
    """The folder with the artist's saved mappings."""
    return extension.user_folder() / "rigs"


def _offsets(obj: bpy.types.Object, name: str, rest: RestMesh) -> NDArray[np.float64]:
    """(V, 3) offsets of a key at value 1, in world axes; zeros if this object has no such key."""
    mesh = mesh_of(obj)
    key = find_item(mesh.shape_keys.key_blocks, name) if mesh.shape_keys else None
    if key is None:
        return np.zeros((len(mesh.vertices), 3))
    local = coordinates(key.points) - coordinates(key.relative_key.points)
    group = find_item(obj.vertex_groups, key.vertex_group) if key.vertex_group else None
    if group is not None:
        local *= np.array([_weight(vertex, group.index) for vertex in mesh.vertices], np.float32)[:, None]
    return local @ np.linalg.inv(rest.to_local)


def _weight(vertex: bpy.types.MeshVertex, group: int) -> float:
    """Weight of a vertex in a vertex group; 0 if it is not in it."""
    return next((element.weight for element in vertex.groups if element.group == group), 0.0)
