"""Numbers that are too many for memory, in a temporary file."""

import contextlib
import logging
import mmap
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

log = logging.getLogger(__name__)


class Spool:
    """A one-dimensional array that grows. It is kept in memory if the disk has no room for it.

    The file has no name that another process could open, and vanishes with the array, however the process ends.
    """

    def __init__(self, dtype: DTypeLike):
        """Make an empty one.

        Args:
            dtype: Type of its numbers.
        """
        self._dtype = np.dtype(dtype)
        self._length = 0  # numbers in the file
        self._parts: list[NDArray[Any]] = []  # what is in memory, after those in the file
        self._file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # `finish` closes it

    def append(self, numbers: NDArray[Any]) -> None:
        """Add numbers (n,) at the end."""
        numbers = np.ascontiguousarray(numbers, self._dtype)
        if self._file is None or self._parts:
            self._parts.append(numbers)
            return
        try:
            rest = numbers.view(np.uint8).data
            while rest:
                rest = rest[self._file.write(rest) :]
            self._length += len(numbers)
        except OSError as error:  # the disk is full
            log.warning("There is no room for a temporary file, memory is used: %s", error)
            self._parts.append(numbers)

    def finish(self) -> NDArray[Any]:
        """Return the whole array; nothing can be added any more. `release` frees the memory that reading it takes."""
        inside = np.zeros(0, self._dtype)
        if self._file is not None:
            with self._file:
                if self._length:
                    inside = np.memmap(self._file, self._dtype, "c", shape=(self._length,))
        return np.concatenate([inside, *self._parts]) if self._parts else inside


def release(array: NDArray[Any]) -> None:
    """Free the memory that was taken by reading an array of a `Spool`; its numbers are read again when needed.

    Args:
        array: The array or a view of it. Nothing is done for other arrays, and where the system cannot (Windows, which
            does it by itself when memory runs short).
    """
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
