"""The head's own shape keys: which the artist made, what they are recognised as, their shapes and sliders."""

import bpy
import numpy as np

from ..errors import UserError
from ..rigs import families
from ..rigs.mapping import Mapping, Row
from . import extension, shape_keys
from .meshes import coordinates
from .snapshots import RestMesh, Rig


def read(head: bpy.types.Object, members: list[tuple[bpy.types.Object, RestMesh]]) -> Rig | None:
    """The head's keys as they are to be driven; None if channels get keys of their own."""
    mapping = mapping_of(head)
    if mapping is None or not mapping.rows:
        return None
    blocks = head.data.shape_keys.key_blocks
    limits = {name: (blocks[name].slider_min, blocks[name].slider_max) for name in own_keys(head.data)}
    shapes = [np.concatenate([_offsets(obj, name, rest) for obj, rest in members]) for name in mapping.solved]
    count = sum(len(rest.vertices) for _obj, rest in members)
    return Rig(
        mapping,
        limits,
        np.array(shapes, np.float32).reshape(-1, count, 3),
        head.lsf.add_missing,
        len(head.data.vertices),
    )


def check(head: bpy.types.Object, rig: Rig | None) -> None:
    """Raise UserError if the keys that are to be driven are not all there any more."""
    if rig is not None and not {row.key for row in rig.mapping.rows} <= set(own_keys(head.data)):
        raise UserError(
            f'The shape keys of "{head.name}" were changed while its animation was made: press Generate again'
        )


def own_keys(mesh: bpy.types.Mesh) -> list[str]:
    """Names of the keys that were not generated, but for the Basis."""
    if mesh.shape_keys is None:
        return []
    generated = shape_keys.marked(mesh)
    basis = mesh.shape_keys.reference_key
    return [key.name for key in mesh.shape_keys.key_blocks if key != basis and key.name not in generated]


def mapping_of(head: bpy.types.Object) -> Mapping | None:
    """How the head's own keys follow the channels: as recognised, or by its list; None if they do not.

    Keys that are gone are left out.
    """
    face = head.lsf
    if face.own_keys == "IGNORE":
        return None
    if face.own_keys == "RECOGNISE":
        return recognised_mapping(head)
    return Mapping(face.mapping_name, mapping_rows(face)).of(set(own_keys(head.data)))


def mapping_rows(face) -> tuple[Row, ...]:
    """The rows of the list of a face, an LSF_PG_face."""
    return tuple(Row(row.key, row.channel, row.gain) for row in face.mapping if row.key)


def recognised_mapping(head: bpy.types.Object) -> Mapping | None:
    """What the head's own keys are recognised as; saved mappings go before built-in families."""
    names = own_keys(head.data)
    return families.recognise(names, [*families.saved(saved_mappings_folder())[0], *families.built_in()]) if names else None


def saved_mappings_folder():
    """Where the artist's mappings are saved."""
    return extension.user_folder() / "rigs"


def _offsets(obj: bpy.types.Object, name: str, rest: RestMesh) -> np.ndarray:
    """(V, 3) what a key adds at value 1, in the world's axes; zeros if this object has no such key."""
    mesh = obj.data
    key = mesh.shape_keys.key_blocks.get(name) if mesh.shape_keys else None
    if key is None:
        return np.zeros((len(mesh.vertices), 3), np.float32)
    local = coordinates(key.points) - coordinates(key.relative_key.points)
    group = obj.vertex_groups.get(key.vertex_group) if key.vertex_group else None
    if group is not None:
        local *= np.array([_weight(vertex, group.index) for vertex in mesh.vertices], np.float32)[:, None]
    return local @ np.linalg.inv(rest.to_local)


def _weight(vertex: bpy.types.MeshVertex, group: int) -> float:
    return next((element.weight for element in vertex.groups if element.group == group), 0.0)
