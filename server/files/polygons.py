"""The polygons of a mesh file, and the limits that its readers check before they allocate."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..numerics import IntArray

MAX_VERTICES, MAX_TRIANGLES = 5_000_000, 10_000_000
MAX_CORNERS = 3 * MAX_TRIANGLES  # of all polygons: as many as if each were a triangle
MAX_FILE_BYTES = 1 << 30  # of a mesh of these sizes, as text with normals and texture coordinates
MAX_PADDED = 100_000_000  # entries of polygons in a table with one width for all; one row per polygon


class Polygons(NamedTuple):
    """Polygons of any number of corners. Those with fewer than three are allowed; they have no triangles.

    Attributes:
        corners: (C,) vertex indices of all polygons, one polygon after the other.
        sizes: (P,) number of corners of each polygon.
        columns: Columns of the table that they come from; 0 if they come from none.
    """

    corners: IntArray
    sizes: IntArray
    columns: int = 0

    def triangles(self) -> NDArray[np.int32]:
        """Divide each polygon into a fan of triangles.

        Returns:
            (T, 3) vertex indices: the first triangle of each polygon, then the second of each that has more, and so on.

        Raises:
            LSFError: "bad_mesh" if there are more than MAX_TRIANGLES.
        """
        sizes = self.sizes.astype(np.int64)
        counts = np.maximum(sizes - 2, 0)
        total = int(counts.sum())
        if total > MAX_TRIANGLES:
            raise LSFError("bad_mesh", f"The mesh has {total} triangles: the limit is {MAX_TRIANGLES}.")
        first = np.repeat(np.cumsum(sizes) - sizes, counts)
        step = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        order = np.argsort(step, kind="stable")
        first, second = first[order], (first + step)[order] + 1
        corners = self.corners.astype(np.int32, copy=False)
        triangles: NDArray[np.int32] = corners[np.stack((first, second, second + 1), 1)]
        return triangles

    def padded(self) -> NDArray[np.int32] | None:
        """Return the polygons as a table.

        Returns:
            (P, N) vertex indices, padded with −1 at the end, N as in the table that they come from; None if it had more
            than MAX_PADDED entries.
        """
        width = max(3, self.columns, int(self.sizes.max(initial=0)))
        if width * len(self.sizes) > MAX_PADDED:
            return None
        table = np.full((len(self.sizes), width), -1, np.int32)
        table[np.arange(width) < self.sizes[:, None]] = self.corners
        return table


def from_padded(table: IntArray) -> Polygons:
    """Read polygons from a table.

    Args:
        table: (P, N) vertex indices, padded with −1 at the end; N is 3 or more.

    Raises:
        LSFError: "bad_mesh".
    """
    if table.ndim != 2 or table.shape[1] < 3 or table.dtype.kind not in "iu":
        raise LSFError("bad_mesh", f"The faces must be whole numbers (P, 3 or more), not {table.dtype} {table.shape}.")
    used = table >= 0
    if np.count_nonzero(used) > MAX_CORNERS:
        raise LSFError("bad_mesh", f"The faces have more than {MAX_CORNERS} corners.")
    if table.min(initial=0) < -1 or (used[:, 1:] > used[:, :-1]).any():
        raise LSFError("bad_mesh", "Faces may be padded with -1 at their end only.")
    return Polygons(table[used], used.sum(1), table.shape[1])
