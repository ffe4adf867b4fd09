"""Meshes in: the Mesh that travels through the server, and .obj, .ply and .npz readers that keep the vertex order."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import LSFError

MAX_VERTICES, MAX_TRIANGLES = 5_000_000, 10_000_000


@dataclass
class Mesh:
    """A neutral mesh in its own units: Z up, facing −Y. Checked when made: LSFError("bad_mesh", …)."""

    vertices: np.ndarray  # (V, 3) float32
    triangles: np.ndarray  # (T, 3) int32
    faces: np.ndarray | None = None  # (P, N) int32 polygons of the file, −1 padded; None: the triangles

    def __post_init__(self):
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
            raise LSFError("bad_mesh", f"The mesh has {len(vertices)} vertices: the limit is {MAX_VERTICES}.")
        if not np.isfinite(vertices).all():
            raise LSFError("bad_mesh", "The mesh has vertices that are not numbers: clean it up (Mesh > Clean Up).")
        if triangles.min() < 0 or triangles.max() >= len(vertices):
            raise LSFError("bad_mesh", "The mesh has faces that use vertices which do not exist.")
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.triangles = np.ascontiguousarray(triangles, np.int32)
        if self.faces is None:
            self.faces = self.triangles


def load(path: str | os.PathLike) -> Mesh:
    """Read a .obj, .ply or .npz file. Raises LSFError with "no_file" or "bad_mesh"."""
    path = Path(path)
    reader = {".obj": _read_obj, ".ply": _read_ply, ".npz": _read_npz}.get(path.suffix.lower())
    if reader is None:
        raise LSFError("bad_mesh", f'"{path.name}" is no mesh file that can be read: use .obj, .ply or .npz.')
    if not path.is_file():
        raise LSFError("no_file", f'There is no mesh file "{path}".')
    try:
        vertices, faces = reader(path)
        return from_polygons(vertices, faces)
    except LSFError as error:
        raise LSFError(error.code, f"{path.name}: {error}") from error
    except Exception as error:  # whatever a damaged file makes of a reader
        raise LSFError("bad_mesh", f'"{path.name}" is damaged or not really {path.suffix}: {error}.') from error


def from_polygons(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """(V, 3) vertices and (P, N) polygons, −1 padded at the end, to a Mesh; polygons become fans of triangles."""
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


def _padded(polygons: list[list[int]]) -> np.ndarray:
    width = max((len(p) for p in polygons), default=3)
    faces = np.full((len(polygons), max(width, 3)), -1, np.int64)
    for row, polygon in zip(faces, polygons, strict=True):
        row[: len(polygon)] = polygon
    return faces


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    vertices, polygons = [], []
    with open(path, encoding="utf-8", errors="replace") as file:
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


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
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


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    data = path.read_bytes()
    end = data.index(b"end_header")
    body = data.index(b"\n", end) + 1
    if not data.startswith(b"ply"):
        raise LSFError("bad_mesh", "the file does not start with ply.")
    layout, elements = "", []  # [name, count, [(property, type, type of a list's length or None)]]
    for line in data[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            layout = words[1]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:2] == ["property", "list"]:
            elements[-1][2].append((words[4], _PLY_TYPES[words[3]], _PLY_TYPES[words[2]]))
        elif words[:1] == ["property"]:
            elements[-1][2].append((words[2], _PLY_TYPES[words[1]], None))
    read = _PlyText(data[body:]) if layout == "ascii" else _PlyBinary(data, body, "<" if "little" in layout else ">")
    found = {name: read.element(count, properties) for name, count, properties in elements}
    corners = found["face"].get("vertex_indices", found["face"].get("vertex_index"))
    return np.stack([found["vertex"][axis] for axis in "xyz"], 1), _padded(corners)


class _PlyText:
    """Reads one element after the other from the body of an ASCII file."""

    def __init__(self, body: bytes):
        self._words = iter(body.split())

    def element(self, count: int, properties: list) -> dict:
        rows = {name: [] for name, *_ in properties}
        for _ in range(count):
            for name, _, length in properties:
                rows[name].append(
                    [int(next(self._words)) for _ in range(int(next(self._words)))]
                    if length
                    else float(next(self._words))
                )
        return rows


class _PlyBinary:
    """Reads one element after the other from the body of a binary file."""

    def __init__(self, data: bytes, offset: int, order: str):
        self._data, self._offset, self._order = data, offset, order

    def _take(self, dtype, count: int = 1) -> np.ndarray:
        dtype = np.dtype(dtype)
        values = np.frombuffer(self._data, dtype, count, self._offset)
        self._offset += dtype.itemsize * count
        return values

    def element(self, count: int, properties: list) -> dict:
        if not any(length for *_, length in properties):
            table = self._take([(name, self._order + kind) for name, kind, _ in properties], count)
            return {name: table[name] for name, *_ in properties}
        rows = {name: [] for name, *_ in properties}
        for _ in range(count):
            for name, kind, length in properties:
                size = int(self._take(self._order + length)[0]) if length else 1
                rows[name].append(self._take(self._order + kind, size).tolist())
        return rows
