"""The neutral mesh of a character, and how it is read from a file.

The readers are the project's own. A basis fits a mesh only while its vertices are those of the file, in the same order,
and trimesh and meshio do not promise that: trimesh 5.2 divides an .obj by object and material, both refuse some files
with texture coordinates or with polygons of several sizes, and both allocate what a header promises.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import LSFError
from ..numerics import FloatArray, IntArray
from . import npz, obj, ply, polygons
from .polygons import MAX_FILE_BYTES, MAX_PADDED, MAX_TRIANGLES, MAX_VERTICES, Polygons

log = logging.getLogger(__name__)


@dataclass
class Mesh:
    """A neutral mesh in its own units: Z up, facing −Y.

    Attributes:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32 vertex indices.
        polygons: Polygons of the file that the triangles were made of; None if there are none.

    Raises:
        LSFError: "bad_mesh" or "empty_mesh" if the arrays do not describe a mesh.
    """

    vertices: FloatArray
    triangles: IntArray
    polygons: Polygons | None = None

    def __post_init__(self) -> None:
        vertices, triangles = np.asarray(self.vertices), np.asarray(self.triangles)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind != "f":
            raise LSFError("bad_mesh", f"The vertices must be float (V, 3), not {vertices.dtype} {vertices.shape}.")
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
            raise LSFError(
                "bad_mesh", f"The triangles must be whole numbers (T, 3), not {triangles.dtype} {triangles.shape}."
            )
        if not len(vertices) or not len(triangles):
            raise LSFError("empty_mesh", "The mesh has no faces: select a mesh with a face.")
        if len(vertices) > MAX_VERTICES or len(triangles) > MAX_TRIANGLES:
            raise LSFError(
                "bad_mesh",
                f"The mesh has {len(vertices)} vertices and {len(triangles)} triangles: the limits are {MAX_VERTICES} "
                f"and {MAX_TRIANGLES}.",
            )
        if not np.isfinite(vertices).all():
            raise LSFError("bad_mesh", "The mesh has vertices that are not numbers: clean it up (Mesh > Clean Up).")
        if triangles.min() < 0 or triangles.max() >= len(vertices):
            raise LSFError("bad_mesh", "The mesh has faces that use vertices which do not exist.")
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.triangles = np.ascontiguousarray(triangles, np.int32)

    @property
    def faces(self) -> IntArray:
        """(P, N) int32 polygons, padded with −1 at the end; the triangles where such a table would be too large."""
        table = None if self.polygons is None else self.polygons.padded()
        return self.triangles if table is None else table


def load(path: str | os.PathLike[str]) -> Mesh:
    """Read a mesh file.

    Args:
        path: A .obj, .ply or .npz file; an .npz has the arrays "vertices" (V, 3) and "faces" (P, N), padded with −1.

    Returns:
        The mesh, with the vertices in the order of the file.

    Raises:
        LSFError: "no_file", "bad_mesh" or "empty_mesh".
    """
    path = Path(path)
    reader = {".obj": obj.read, ".ply": ply.read, ".npz": _read_npz}.get(path.suffix.lower())
    if reader is None:
        raise LSFError("bad_mesh", f'"{path.name}" is not a mesh file of a known format: use .obj, .ply or .npz.')
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long or forbidden)
        raise LSFError("no_file", f'There is no mesh file "{path}".')
    if path.stat().st_size > MAX_FILE_BYTES:
        raise LSFError("bad_mesh", f"{path.name}: The file has more than {MAX_FILE_BYTES >> 20} MB.")
    try:
        return from_polygons(*reader(path))
    except LSFError as error:
        raise LSFError(error.code, f"{path.name}: {error}") from error
    except OSError as error:
        raise LSFError("bad_mesh", f'"{path.name}" cannot be opened: {error.strerror or error}.') from error
    except Exception as error:  # a damaged file can make a reader raise anything
        log.info("%s", path, exc_info=True)
        raise LSFError("bad_mesh", f'"{path.name}" is damaged or not really {path.suffix}: export it again.') from error


def from_polygons(vertices: FloatArray, faces: Polygons) -> Mesh:
    """Make a mesh from polygons. Each becomes a fan of triangles.

    Args:
        vertices: (V, 3).
        faces: The polygons.

    Raises:
        LSFError: "bad_mesh" or "empty_mesh".
    """
    corners = faces.corners
    # An index that is not a number fails these comparisons, too.
    if len(corners) and not (corners.min() >= 0 and corners.max() < len(vertices) and (corners % 1 == 0).all()):
        raise LSFError("bad_mesh", "The mesh has faces that use vertices which do not exist.")
    faces = faces._replace(corners=corners.astype(np.int32))
    with np.errstate(over="ignore"):  # a vertex that float32 cannot hold is refused as infinite
        return Mesh(np.asarray(vertices, np.float32), faces.triangles(), faces)


def _read_npz(path: Path) -> tuple[FloatArray, Polygons]:
    """Vertices (V, 3) and polygons of an .npz file."""
    arrays = npz.read(path, {"vertices": 3 * MAX_VERTICES, "faces": MAX_PADDED})
    return arrays["vertices"], polygons.from_padded(arrays["faces"])
