"""Reads vertices and polygons of .obj files."""

from array import array
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import LSFError
from ..numerics import FloatArray
from .polygons import MAX_TRIANGLES, MAX_VERTICES, Polygons

MAX_LINE = 1 << 20  # characters: a polygon with a hundred thousand corners


def read(path: Path) -> tuple[FloatArray, Polygons]:
    """Read the vertices, in the order of the file, and the polygons; negative indices count from the end.

    Args:
        path: The file.

    Returns:
        Vertices (V, 3) and polygons.

    Raises:
        LSFError: "bad_mesh".
        ValueError: The file is damaged.
        OverflowError: A number is too large.
    """
    positions, corners, sizes = array("f"), array("q"), array("q")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in iter(partial(file.readline, MAX_LINE), ""):
            if len(line) == MAX_LINE:
                raise LSFError("bad_mesh", f"A line of the file has more than {MAX_LINE} characters.")
            word, *rest = line.partition("#")[0].split() or [""]
            if word == "v":
                if len(rest) < 3:
                    raise LSFError("bad_mesh", "The file has vertices without three coordinates.")
                positions.extend(map(float, rest[:3]))
            elif word == "f":
                count = len(positions) // 3
                indices = [int(corner.partition("/")[0]) for corner in rest] if "/" in line else list(map(int, rest))
                least = min(indices)
                if 0 in indices or least < -count:
                    raise LSFError("bad_mesh", "The mesh has faces that use vertices which do not exist.")
                if least < 0:
                    indices = [i if i > 0 else count + 1 + i for i in indices]
                corners.extend(indices)
                sizes.append(len(indices))
            if len(positions) > 3 * MAX_VERTICES or len(sizes) > MAX_TRIANGLES:
                raise LSFError("bad_mesh", f"The limits are {MAX_VERTICES} vertices and {MAX_TRIANGLES} faces.")
    vertices = np.frombuffer(positions, np.float32).reshape(-1, 3)
    return vertices, Polygons(np.frombuffer(corners, np.int64) - 1, np.frombuffer(sizes, np.int64))
