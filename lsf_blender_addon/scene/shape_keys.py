"""Which shape keys of a mesh were generated.

Their names and fingerprints are kept on the Key data-block. A generated key that the artist has sculpted or renamed
is the artist's.
"""

import bpy
import numpy as np

from .meshes import base_vertices, coordinates

MARK = "lsf_generated"  # custom property on the Key: {key name: fingerprint}


def generated_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that were generated and not sculpted since."""
    if mesh.shape_keys is None:
        return set()
    base = base_vertices(mesh)
    names = set()
    for name, stored in marks(mesh).items():
        key = mesh.shape_keys.key_blocks.get(name)
        if key is None:
            continue
        now = fingerprint(coordinates(key.points) - base)
        if len(stored) == len(now) and np.abs(np.subtract(now, stored)).max() < 1e-4 * max(stored[-1], 1e-9):
            names.add(name)
    return names


def marked(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that were generated, sculpted since or not; quick."""
    return set(marks(mesh))


def fingerprint(offsets: np.ndarray) -> list[float]:
    """A few numbers that change when offsets (V, 3) do, and hardly when the whole mesh is edited with its keys."""
    weights = 1 + np.sin(np.arange(len(offsets), dtype=np.float32))  # fixed, and different for every vertex
    return [*(weights @ offsets).tolist(), float(np.abs(offsets).sum())]


def marks(mesh: bpy.types.Mesh) -> dict:
    """{key name: fingerprint} of the keys that were generated."""
    if mesh.shape_keys is None or not hasattr(mesh.shape_keys.get(MARK), "to_dict"):
        return {}
    return mesh.shape_keys[MARK].to_dict()
