"""Reads arrays of .npz files. What a header promises is checked before anything is allocated or unpacked."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError

MAX_READ = 1 << 20  # bytes that are read at once: the list of files in a .zip says itself how long it is
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what numpy writes; Python unpacks no other one in pieces
MAX_ITEM_BYTES = 16  # of a number


def read(path: Path, most: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers. Other arrays of the file are not opened.

    Args:
        path: The file.
        most: Names of the arrays, and the number of entries that each may have.

    Returns:
        The arrays, by name.

    Raises:
        LSFError: "bad_mesh".
        ValueError: The file is damaged; or EOFError, OSError, RuntimeError, zipfile.BadZipFile or zlib.error.
    """
    with path.open("rb") as raw, zipfile.ZipFile(_SmallReads(raw)) as file:
        members = {info.filename: info for info in file.infolist()}
        arrays: dict[str, NDArray[Any]] = {}
        for name, limit in most.items():
            info = members.get(f"{name}.npy")
            if info is None:
                raise LSFError("bad_mesh", f'The file has no array "{name}".')
            if info.compress_type not in COMPRESSIONS:
                raise LSFError("bad_mesh", "The file is packed in a way that numpy does not use.")
            with file.open(info) as stream:
                arrays[name] = _array(name, stream, limit)
        return arrays


class _SmallReads(io.BufferedReader):
    """A file of which at most MAX_READ bytes are read at once, whatever is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        return super().read(MAX_READ if size is None or size < 0 else min(size, MAX_READ))


def _array(name: str, stream: Any, limit: int) -> NDArray[Any]:
    """Read an array of the format .npy. `stream` is the unpacked file."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # the others may have a header of 4 GB, which only tables with thousands of columns need
        raise LSFError("bad_mesh", f'The array "{name}" has an unknown format.')
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "fiu" or dtype.itemsize > MAX_ITEM_BYTES:
        raise LSFError("bad_mesh", f'The array "{name}" must hold numbers, not {dtype.kind!r}.')
    count = math.prod(shape)
    if count > limit or min(shape, default=0) < 0:
        raise LSFError("bad_mesh", f'The array "{name}" must have at most {limit} numbers.')
    data = bytearray()  # it grows with what is there: a header may promise more
    while missing := count * dtype.itemsize - len(data):
        block = stream.read(min(missing, MAX_READ))
        if not block:
            raise LSFError("bad_mesh", f'The array "{name}" is cut off.')
        data += block
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
