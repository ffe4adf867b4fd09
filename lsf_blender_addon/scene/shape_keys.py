"""Finds out which shape keys of a mesh were generated.

The names under which they were made, and their fingerprints, are stored on the Key data-block. A generated key that the
artist has sculpted belongs to the artist. One that the artist has renamed is found again by its fingerprint; the names
that it has had since are stored, too. A key is spoken of by the name under which it was made, but in `marked`.
"""

import json
from collections.abc import Mapping, Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from . import stored
from .access import find_item
from .meshes import base_vertices, coordinates

MARK = "lsf_generated"  # custom property on the Key: {key name: fingerprint}
RENAMED = "lsf_renamed"  # custom property on the Key: JSON, {key name: its names since, the newest one last}
SAME_SHAPE = 1e-4  # of the sum of a key's offsets: fingerprints of one shape differ by less
FINGERPRINT = 4  # numbers of a fingerprint
NO_SHAPE = 1e-9  # sum of the offsets of a key without a shape


def generated_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that were generated and not sculpted since; finds those that were renamed."""
    if mesh.shape_keys is None:
        return set()
    find_renamed(mesh)
    base, now = base_vertices(mesh), renamed(mesh)
    names: set[str] = set()
    for name, made in marks(mesh).items():
        key = find_item(mesh.shape_keys.key_blocks, now.get(name, name))
        if key is not None and _is_same(fingerprint(coordinates(key.points) - base), made):
            names.add(name)
    return names


def marked(mesh: bpy.types.Mesh) -> set[str]:
    """Present names of the keys that were generated, sculpted since or not; fast, as no vertices are read."""
    now = renamed(mesh)
    return {now.get(name, name) for name in marks(mesh)}


def renamed(mesh: bpy.types.Mesh) -> dict[str, str]:
    """{name: present name} of the generated keys that `find_renamed` has found; fast, as no vertices are read."""
    if mesh.shape_keys is None:
        return {}
    blocks, made = mesh.shape_keys.key_blocks, marks(mesh)
    return {
        name: since[-1]
        for name, since in _stored_names(mesh.shape_keys).items()
        if name in made and name not in blocks and since[-1] in blocks and since[-1] not in made
    }


def former_names(mesh: bpy.types.Mesh) -> dict[str, set[str]]:
    """{present name: all names that it has had} of the generated keys that were renamed once."""
    now = renamed(mesh)
    stored = _stored_names(mesh.shape_keys) if mesh.shape_keys else {}
    return {now.get(name, name): {name, *since} for name, since in stored.items()}


def find_renamed(mesh: bpy.types.Mesh) -> None:
    """Find generated keys that the artist has renamed by their shapes, and store their names.

    A name that another key has now is not looked for, nor a shape that several keys have.
    """
    keys = mesh.shape_keys
    if keys is None or keys.library is not None:
        return
    made, known, earlier = marks(mesh), renamed(mesh), _stored_names(keys)
    gone = [name for name in made if name not in keys.key_blocks and name not in known]
    if not gone:
        return
    base, taken = base_vertices(mesh), {*made, *known.values()}
    shapes = {
        key.name: fingerprint(coordinates(key.points) - base)
        for key in keys.key_blocks
        if key != keys.reference_key and key.name not in taken
    }
    found = {name: [other for other, shape in shapes.items() if _is_same(shape, made[name])] for name in gone}
    claims = [other for others in found.values() for other in others]
    new = {
        name: [*earlier.get(name, []), others[0]]
        for name, others in found.items()
        if len(others) == 1 and claims.count(others[0]) == 1 and made[name][-1] > NO_SHAPE
    }
    if new:
        keys[RENAMED] = json.dumps(earlier | new)


def fingerprint(offsets: NDArray[np.float32]) -> list[float]:
    """Numbers that change when a key is sculpted, and hardly when the whole mesh is edited together with its keys.

    Args:
        offsets: (V, 3) of the key from the base.

    Returns:
        Three weighted sums of the offsets, one an axis, and the sum of their absolute values.
    """
    weights = 1 + np.sin(np.arange(len(offsets), dtype=np.float32))  # fixed, and different for every vertex
    return [*(weights @ offsets).tolist(), float(np.abs(offsets).sum())]


def marks(mesh: bpy.types.Mesh) -> dict[str, list[float]]:
    """{key name: fingerprint} of the keys that were generated."""
    kept = stored.group(mesh.shape_keys, MARK)
    read = {name: stored.numbers(value, FINGERPRINT) for name, value in stored.names(kept).items()}
    return {name: values for name, values in read.items() if values is not None}


def set_marks(keys: bpy.types.Key, made: Mapping[str, Sequence[float]]) -> None:
    """Replace the fingerprints of the keys that were generated; what else lies among them stays."""
    kept = stored.names(stored.group(keys, MARK))
    foreign = {name: value for name, value in kept.items() if stored.numbers(value, FINGERPRINT) is None}
    # A group that is changed in place comes back without order or type guarantees: it is made again.
    keys[MARK] = {name: stored.plain(value) for name, value in foreign.items()} | {
        name: list(values) for name, values in made.items()
    }


def renew_marks(mesh: bpy.types.Mesh, names: set[str]) -> None:
    """Take generated keys of these names as they are now for not sculpted: their mesh has got other vertices."""
    if not names:
        return
    keys, base, now = mesh.shape_keys, base_vertices(mesh), renamed(mesh)
    assert keys is not None
    made = marks(mesh)
    for name in names:
        made[name] = fingerprint(coordinates(keys.key_blocks[now.get(name, name)].points) - base)
    set_marks(keys, made)


def _stored_names(keys: bpy.types.Key) -> dict[str, list[str]]:
    """What is stored of names, whether such keys are there or not; empty if that cannot be read."""
    kept = stored.document(keys.get(RENAMED))
    return {name: [str(one) for one in since] for name, since in kept.items() if since and isinstance(since, list)}


def _is_same(now: list[float], made: list[float]) -> bool:
    """Whether two fingerprints are those of one shape."""
    return bool(np.abs(np.subtract(now, made)).max() < SAME_SHAPE * max(made[-1], NO_SHAPE))
