"""Finds out which shape keys of a mesh were generated.

Their names and fingerprints are stored on the Key data-block. A generated key that the artist has sculpted or renamed
belongs to the artist.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from .access import find_item
from .meshes import base_vertices, coordinates

MARK = "lsf_generated"  # custom property on the Key: {key name: fingerprint}


def generated_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that were generated and not sculpted since."""
    if mesh.shape_keys is None:
        return set()
    base = base_vertices(mesh)
    names: set[str] = set()
    for name, stored in marks(mesh).items():
        key = find_item(mesh.shape_keys.key_blocks, name)
        if key is None:
            continue
        now = fingerprint(coordinates(key.points) - base)
        if len(stored) == len(now) and np.abs(np.subtract(now, stored)).max() < 1e-4 * max(stored[-1], 1e-9):
            names.add(name)
    return names


def marked(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that were generated, sculpted since or not; fast, as no vertices are read."""
    return set(marks(mesh))


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
    if mesh.shape_keys is None or not hasattr(mesh.shape_keys.get(MARK), "to_dict"):
        return {}
    stored: dict[str, list[float]] = mesh.shape_keys[MARK].to_dict()
    return stored


def renew_marks(mesh: bpy.types.Mesh, names: set[str]) -> None:
    """Take generated keys of these names as they are now for not sculpted: their mesh has got other vertices."""
    if not names:
        return
    keys, base = mesh.shape_keys, base_vertices(mesh)
    assert keys is not None
    stored = {name: list(values) for name, values in marks(mesh).items()}
    for name in names:
        stored[name] = fingerprint(coordinates(keys.key_blocks[name].points) - base)
    keys[MARK] = stored
