"""The neutral mesh of a character, and readers of .obj, .ply and .npz files that keep the vertex order."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import LSFError
from ..numerics import FloatArray, IntArray

MAX_VERTICES, MAX_TRIANGLES = 5_000_000, 10_000_000
MAX_ROWS = 100_000_000  # of any element of a .ply file: far more than the edges of the largest mesh


@dataclass
class Mesh:
    """A neutral mesh in its own units: Z up, facing −Y.

    Attributes:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32 vertex indices.
        faces: (P, N) int32 polygons of the file, padded with −1 at the end; the triangles if there are none.

    Raises:
        LSFError: "bad_mesh" or "empty_mesh" if the arrays do not describe a mesh.
    """

    vertices: FloatArray
    triangles: IntArray
    faces: IntArray | None = None

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
        if self.faces is None:
            self.faces = self.triangles


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
    reader = {".obj": _read_obj, ".ply": _read_ply, ".npz": _read_npz}.get(path.suffix.lower())
    if reader is None:
        raise LSFError("bad_mesh", f'"{path.name}" is not a mesh file of a known format: use .obj, .ply or .npz.')
    if not path.is_file():
        raise LSFError("no_file", f'There is no mesh file "{path}".')
    try:
        vertices, faces = reader(path)
        return from_polygons(vertices, faces)
    except LSFError as error:
        raise LSFError(error.code, f"{path.name}: {error}") from error
    except Exception as error:  # a damaged file can make a reader raise anything
        raise LSFError("bad_mesh", f'"{path.name}" is damaged or not really {path.suffix}: {error}.') from error


def from_polygons(vertices: FloatArray, faces: IntArray) -> Mesh:
    """Make a mesh from polygons. Each becomes a fan of triangles.

    Args:
        vertices: (V, 3).
        faces: (P, N) vertex indices, padded with −1 at the end.

    Raises:
        LSFError: "bad_mesh" or "empty_mesh".
    """
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] < 3 or faces.dtype.kind not in "iu":
        raise LSFError("bad_mesh", f"The faces must be whole numbers (P, 3 or more), not {faces.dtype} {faces.shape}.")
    faces = faces.astype(np.int64)
    corners = (faces >= 0).sum(1)
    if (faces < -1).any() or ((faces >= 0) != (np.arange(faces.shape[1]) < corners[:, None])).any():
        raise LSFError("bad_mesh", "Faces may be padded with -1 at their end only.")
    fans = [faces[corners > k + 1][:, [0, k, k + 1]] for k in range(1, faces.shape[1] - 1)]
    triangles = np.concatenate(fans)
    if len(triangles) and triangles.max() >= len(vertices):
        raise LSFError("bad_mesh", "The mesh has faces that use vertices which do not exist.")
    return Mesh(np.asarray(vertices, np.float32), triangles.astype(np.int32), faces.astype(np.int32))


def _padded(polygons: list[list[int]]) -> NDArray[np.int64]:
    """Polygons (P, N), padded with −1 at the end."""
    width = max((len(p) for p in polygons), default=3)
    faces = np.full((len(polygons), max(width, 3)), -1, np.int64)
    for row, polygon in zip(faces, polygons, strict=True):
        row[: len(polygon)] = polygon
    return faces


def _read_obj(path: Path) -> tuple[FloatArray, IntArray]:
    """Vertices (V, 3) and padded polygons (P, N) of an .obj file; negative indices count from the end."""
    vertices: list[list[float]] = []
    polygons: list[list[int]] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            word, *rest = line.split() or [""]
            if word == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif word == "f":
                corners = [int(corner.split("/", 1)[0]) for corner in rest if not corner.startswith("#")]
                if 0 in corners or min(corners) < -len(vertices):
                    raise LSFError("bad_mesh", "the file has faces that use vertices which do not exist.")
                polygons.append([c - 1 if c > 0 else len(vertices) + c for c in corners])
    return np.array(vertices, np.float32).reshape(-1, 3), _padded(polygons)


def _read_npz(path: Path) -> tuple[FloatArray, IntArray]:
    """Vertices (V, 3) and padded polygons (P, N) of an .npz file."""
    with np.load(path, allow_pickle=False) as file:
        for name in ("vertices", "faces"):
            if name not in file:
                raise LSFError("bad_mesh", f'the file has no array "{name}".')
        return file["vertices"], file["faces"]


_PLY_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}


class _Property(NamedTuple):
    """A property of an element: one number, or a list that begins with its length."""

    name: str
    kind: str  # numpy's type without the byte order
    length_kind: str | None  # type of a list's length; None: one number


class _Element(NamedTuple):
    """An element of a .ply file, for example "vertex"."""

    name: str
    rows: int
    properties: list[_Property]


_Columns = dict[str, Any]  # values of each property, one row per element; rows of a list property are lists


class _Body(Protocol):
    """Reads one element after the other from the body of a file."""

    def element(self, count: int, properties: list[_Property]) -> _Columns:
        """Read `count` rows."""


def _read_ply(path: Path) -> tuple[FloatArray, IntArray]:
    """Vertices (V, 3) and padded polygons (P, N) of a .ply file."""
    data = path.read_bytes()
    end = data.index(b"end_header")
    body_start = data.index(b"\n", end) + 1
    if not data.startswith(b"ply"):
        raise LSFError("bad_mesh", "the file does not start with ply.")
    layout, elements = _ply_header(data[:end].decode("ascii", "replace"))
    body: _Body = (
        _PlyText(data[body_start:])
        if layout == "ascii"
        else _PlyBinary(data, body_start, "<" if "little" in layout else ">")
    )
    found = {name: body.element(count, properties) for name, count, properties in elements}
    face = found["face"]
    corners = face["vertex_indices" if "vertex_indices" in face else "vertex_index"]
    return np.stack([found["vertex"][axis] for axis in "xyz"], 1), _padded(corners)


def _ply_header(header: str) -> tuple[str, list[_Element]]:
    """Layout ("ascii" or a byte order) and elements of a .ply file."""
    layout, elements = "", list[_Element]()
    for line in header.splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            layout = words[1]
        elif words[:1] == ["element"]:
            elements.append(_Element(words[1], _row_count(words[2]), []))
        elif words[:2] == ["property", "list"]:
            elements[-1].properties.append(_Property(words[4], _PLY_TYPES[words[3]], _PLY_TYPES[words[2]]))
        elif words[:1] == ["property"]:
            elements[-1].properties.append(_Property(words[2], _PLY_TYPES[words[1]], None))
    return layout, elements


def _row_count(word: str) -> int:
    """Number of rows of an element. Raises LSFError for one that would take forever to read."""
    count = int(word)
    if not 0 <= count <= MAX_ROWS:
        raise LSFError("bad_mesh", f"the file has {count} rows of an element: the limit is {MAX_ROWS}.")
    return count


class _PlyText:
    """The body of an ASCII file."""

    def __init__(self, body: bytes):
        self._words: Iterator[bytes] = iter(body.split())

    def element(self, count: int, properties: list[_Property]) -> _Columns:
        """Read `count` rows."""
        rows: _Columns = {p.name: [] for p in properties}
        for _ in range(count):
            for name, _, length_kind in properties:
                rows[name].append(
                    [int(next(self._words)) for _ in range(int(next(self._words)))]
                    if length_kind
                    else float(next(self._words))
                )
        return rows


class _PlyBinary:
    """The body of a binary file."""

    def __init__(self, data: bytes, offset: int, order: str):
        self._data, self._offset, self._order = data, offset, order

    def element(self, count: int, properties: list[_Property]) -> _Columns:
        """Read `count` rows; all at once if no property is a list."""
        if not any(p.length_kind for p in properties):
            table = self._take([(p.name, self._order + p.kind) for p in properties], count)
            return {p.name: table[p.name] for p in properties}
        rows: _Columns = {p.name: [] for p in properties}
        for _ in range(count):
            for name, kind, length_kind in properties:
                size = int(self._take(self._order + length_kind)[0]) if length_kind else 1
                rows[name].append(self._take(self._order + kind, size).tolist())
        return rows

    def _take(self, dtype: DTypeLike, count: int = 1) -> NDArray[Any]:
        """The next `count` values."""
        dtype = np.dtype(dtype)
        values: NDArray[Any] = np.frombuffer(self._data, dtype, count, self._offset)
        self._offset += dtype.itemsize * count
        return values
