"""Reads the vertices of a region of FLAME, the lips or the upper face, from a file that the user names.

The index files of the paper belong to another project, under a licence for research, so none is here.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import LSFError

MAX_BYTES = 1 << 20  # of a file: a hundred times the indices of all vertices of FLAME
PAPER_LIPS, PAPER_UPPER = 428, 1501  # numbers of vertices in the paper's evaluation


@dataclass(frozen=True)
class Regions:
    """Indices of vertices; None where the user named no file, so that what needs them is not measured.

    Attributes:
        lips: (L,) of LVE, MEE and CE.
        upper: (U,) of FDD.
    """

    lips: NDArray[np.int64] | None = None
    upper: NDArray[np.int64] | None = None

    @property
    def paper_sizes(self) -> bool:
        """Whether both have as many vertices as in the paper's evaluation."""
        sizes = [0 if region is None else len(region) for region in (self.lips, self.upper)]
        return sizes == [PAPER_LIPS, PAPER_UPPER]


def read_region(path: Path, vertices: int) -> NDArray[np.int64]:
    """Read a file of vertex indices.

    Args:
        path: `.npy` with a list of whole numbers, `.txt` with numbers apart by white space or commas and with comments
            after #, or `.json` with a list of numbers. Whole numbers may be written as floats, as NumPy does.
        vertices: V, number of vertices of the mesh.

    Returns:
        Sorted indices (n,), n at least 1.

    Raises:
        LSFError: "no_file", or "bad_region" if the file is none of these or has a number that is no vertex.
    """
    if not path.is_file():
        raise LSFError(
            "no_file", f'There is no file "{path}": give the vertices of the region, or leave the option out.'
        )
    if path.suffix.lower() not in (".npy", ".txt", ".json"):
        raise _fault(path, "save the indices as .npy, .txt or .json; a pickle can run any program and is not read")
    if path.stat().st_size > MAX_BYTES:
        raise _fault(path, "it is too large for a list of vertices")
    try:
        numbers = _read(path)
    except LSFError:
        raise
    except Exception as error:  # parsers of damaged files raise errors of many kinds
        raise _fault(path, "it is damaged, or not a list of whole numbers") from error
    if numbers.ndim != 1 or not len(numbers) or numbers.dtype.kind not in "iuf":
        raise _fault(path, "it must be one list of whole numbers")
    values = numbers.astype(np.float64)
    if not (np.isfinite(values) & (values == np.rint(values))).all():
        raise _fault(path, "it must be one list of whole numbers")
    outside = values[(values < 0) | (values >= vertices)]
    if len(outside):
        raise _fault(path, f"it has the index {outside[0]:.15g}, and the mesh has {vertices} vertices, from 0 on")
    indices = np.unique(values.astype(np.int64))
    if len(indices) < len(values):
        raise _fault(path, "it has an index twice")
    return indices


def _read(path: Path) -> NDArray[np.generic]:
    """Return what is in a file; its shape and values are not checked."""
    if path.suffix.lower() == ".npy":
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise _fault(path, "it must be one list of whole numbers")
        return array
    text = path.read_text("utf-8-sig")
    if path.suffix.lower() == ".txt":
        words = [word for line in text.splitlines() for word in line.partition("#")[0].replace(",", " ").split()]
        return np.loadtxt(words, ndmin=1) if words else np.zeros(0)
    numbers = json.loads(text)
    if not isinstance(numbers, list) or any(type(number) not in (int, float) for number in numbers):
        raise _fault(path, "it must be one list of whole numbers")
    return np.array(numbers, np.float64)


def _fault(path: Path, reason: str) -> LSFError:
    return LSFError("bad_region", f'"{path.name}" cannot be used as a region: {reason}.')
