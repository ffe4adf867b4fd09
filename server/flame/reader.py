"""Reads FLAME's files, .npz and .pkl. Every array is checked before the model uses it."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..files import npz

log = logging.getLogger(__name__)

SHAPE, EXPRESSION = 300, 100  # coefficients of identity and expression, in this order in "shapedirs"
PARENTS = (-1, 0, 1, 1, 1)  # of the joints: global, neck, jaw, left eye, right eye
POSE_ENTRIES = 9 * (len(PARENTS) - 1)  # entries of the rotation matrices that the pose correctives multiply
MAX_VERTICES, MAX_TRIANGLES = 20_000, 40_000  # FLAME has 5 023 and 9 976
MAX_JOINTS = 100  # of the other models of this family, which are refused by name
MAX_FILE_BYTES = 400 << 20  # FLAME's largest file has about 60 MB
MAX_SUM_ERROR = 0.05  # of weights that must add up to 1: those of joints were fitted, so that they nearly do
MIN_SIZE, MAX_SIZE = 0.05, 2.0  # metres: the head's largest extent; other units would make every error figure wrong
MAX_DIRECTION = 1.0  # metres that one coefficient of 1 may move a vertex
# Names of the arrays, and the number of entries that each may have.
ARRAYS = {
    "v_template": 3 * MAX_VERTICES,
    "f": 3 * MAX_TRIANGLES,
    "shapedirs": 3 * MAX_VERTICES * (SHAPE + EXPRESSION),
    "posedirs": 3 * MAX_VERTICES * POSE_ENTRIES,
    "J_regressor": len(PARENTS) * MAX_VERTICES,
    "weights": len(PARENTS) * MAX_VERTICES,
    "kintree_table": 2 * MAX_JOINTS,
}


@dataclass(frozen=True)
class FlameArrays:
    """The arrays of a FLAME file, checked. V vertices, T triangles; metres; float32 but for the triangles.

    Attributes:
        template: Mean head (V, 3).
        faces: Triangles (T, 3), int64.
        shape_directions: Offsets (V, 3, 400): 300 shapes, then 100 expressions.
        pose_directions: Offsets (V, 3, 36).
        joint_regressor: Weights (5, V); each row adds up to 1.
        skinning: Weights (V, 5); each row adds up to 1.
    """

    template: NDArray[np.float32]
    faces: NDArray[np.int64]
    shape_directions: NDArray[np.float32]
    pose_directions: NDArray[np.float32]
    joint_regressor: NDArray[np.float32]
    skinning: NDArray[np.float32]


def read_flame(path: str | os.PathLike[str]) -> FlameArrays:
    """Read and check a FLAME file.

    Args:
        path: A .npz or .pkl file of FLAME 2020 or 2023.

    Raises:
        LSFError: "no_file" or "bad_flame".
    """
    path = Path(path)
    readers = {".npz": npz.read, ".pkl": _read_pickle}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise LSFError("bad_flame", f'"{path.name}" is not a FLAME file of a known format: use .npz or .pkl.')
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long or forbidden)
        raise LSFError("no_file", f'There is no FLAME file "{path}".')
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise LSFError("bad_flame", f"The file has more than {MAX_FILE_BYTES >> 20} MB.")
        return check_arrays(reader(path, ARRAYS))
    except LSFError as error:
        raise LSFError("bad_flame", f"{path.name} is no FLAME model that can be read: {error}") from error
    except OSError as error:
        raise LSFError("bad_flame", f'"{path.name}" cannot be opened: {error.strerror or error}.') from error
    except Exception as error:  # a damaged file can make a reader raise anything
        log.info("%s", path, exc_info=True)
        raise LSFError("bad_flame", f'"{path.name}" is damaged or not really {path.suffix}.') from error


def _read_pickle(path: Path, most: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Read arrays of a .pkl file. The module for it is in the source tree alone."""
    try:
        from .build import pickled
    except ImportError as error:
        raise LSFError(
            "bad_flame", "a .pkl file is read by the project's source tree alone, not by the add-on."
        ) from error
    return pickled.read(path, most)


def check_arrays(arrays: dict[str, NDArray[Any]]) -> FlameArrays:
    """Check FLAME's arrays against each other.

    Args:
        arrays: The arrays of ARRAYS, by their names in the file.

    Raises:
        LSFError: "bad_flame", with what is wrong in one sentence.
    """
    count = arrays["v_template"].shape[0] if arrays["v_template"].ndim == 2 else 0
    if not 0 < count <= MAX_VERTICES:
        raise LSFError("bad_flame", f"v_template must be (V, 3) with 1 to {MAX_VERTICES} vertices.")
    shapes = {
        "v_template": (count, 3),
        "shapedirs": (count, 3, SHAPE + EXPRESSION),
        "posedirs": (count, 3, POSE_ENTRIES),
        "J_regressor": (len(PARENTS), count),
        "weights": (count, len(PARENTS)),
    }
    floats = {name: _floats(name, arrays[name], shape) for name, shape in shapes.items()}
    _check_tree(arrays["kintree_table"])
    extent = float(np.ptp(floats["v_template"], axis=0).max())
    if count > 1 and not MIN_SIZE <= extent <= MAX_SIZE:
        raise LSFError("bad_flame", f"The head is {extent:.3g} long, which is no head in metres.")
    for name in ("shapedirs", "posedirs"):
        if np.abs(floats[name]).max() > MAX_DIRECTION:
            raise LSFError("bad_flame", f"{name} moves vertices by more than {MAX_DIRECTION:g} m.")
    for name in ("J_regressor", "weights"):
        if np.abs(floats[name].sum(1) - 1).max() > MAX_SUM_ERROR:
            raise LSFError("bad_flame", f"The rows of {name} do not add up to 1.")
    if floats["weights"].min() < -MAX_SUM_ERROR:
        raise LSFError("bad_flame", "weights has negative shares.")
    return FlameArrays(
        template=floats["v_template"],
        faces=_triangles(arrays["f"], count),
        shape_directions=floats["shapedirs"],
        pose_directions=floats["posedirs"],
        joint_regressor=floats["J_regressor"],
        skinning=floats["weights"],
    )


def _floats(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an array of finite numbers of this shape."""
    if array.dtype.kind != "f":
        raise LSFError("bad_flame", f"{name} must hold floating-point numbers, not {array.dtype}.")
    if array.shape != shape:
        raise LSFError("bad_flame", f"{name} must be {shape}, not {array.shape}.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
        values = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(values).all():
        raise LSFError("bad_flame", f"{name} has numbers that are not finite.")
    return values


def _triangles(array: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return triangles of existing vertices."""
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise LSFError("bad_flame", f"f must be whole numbers (T, 3), not {array.dtype} {array.shape}.")
    if array.min() < 0 or array.max() >= count:
        raise LSFError("bad_flame", "f uses vertices that do not exist.")
    return array.astype(np.int64)


def _check_tree(table: NDArray[Any]) -> None:
    """Check that the joints are FLAME's. Row 0 has the parents; the root's is −1 or, unsigned, 2³² − 1."""
    if table.dtype.kind not in "iu" or table.shape != (2, len(PARENTS)):
        joints = table.shape[1] if table.ndim == 2 else 0
        raise LSFError("bad_flame", f"kintree_table has {joints} joints, where FLAME has {len(PARENTS)}.")
    parents = tuple(-1 if parent in (-1, 2**32 - 1, 2**64 - 1) else int(parent) for parent in table[0].tolist())
    if parents != PARENTS:
        raise LSFError("bad_flame", f"kintree_table has the parents {parents}, where FLAME has {PARENTS}.")
