"""Reads arrays of FLAME's .pkl files. Nothing that a pickle names is imported or called.

A pickle is a program that builds objects from classes and functions that it names. Two steps make it harmless:

1. `_check_program` walks over the instructions without running them. It refuses those that no dictionary of arrays
   needs, lengths beyond the file, and places in the memo that are larger than the number of instructions: Python's own
   unpickler would allocate a table for them.
2. `_Loader.find_class` resolves the few names that numpy arrays need to functions of this module. They only keep what
   they are given. `_Array` allocates nothing but the bytes that the file really has.

Published FLAME files were written by Python 2. Some of their arrays are `chumpy.ch.Ch` objects, whose attribute `x`
holds the array, and the joint regressor is a matrix of `scipy.sparse`. Every class of these two packages stands for an
`_Inert` object here, which keeps its attributes and does nothing; `_dense` takes the arrays out of it.
"""

import io
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError

MAX_INSTRUCTIONS = 100_000  # a FLAME file has a few hundred
REFUSED = {  # instructions for objects outside the file, for names that are numbers, and for buffers outside the file
    "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER",
}  # fmt: skip
MEMO = {"PUT", "BINPUT", "LONG_BINPUT"}
NUMBER = re.compile(r"[<>=|]?[fiub](?:1|2|4|8)")  # numpy's names of number types; objects and records are others
MAX_DIMENSIONS = 4
MAX_NESTING = 4  # chumpy objects whose array is a chumpy object
INERT_PACKAGES = ("chumpy", "scipy")


def read(path: Path, most: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers from a pickled dictionary.

    Args:
        path: The file. It is read as a whole: the caller has checked its size.
        most: Names of the arrays, and the number of entries that each may have.

    Returns:
        The arrays, by name.

    Raises:
        LSFError: "bad_flame".
        Exception: The pickle is damaged.
    """
    data = path.read_bytes()
    _check_program(data)
    model = _Loader(io.BytesIO(data), encoding="latin1").load()
    del data
    if isinstance(model, _Inert):
        model = model.attributes
    if not isinstance(model, dict):
        raise LSFError("bad_flame", "It holds no dictionary of arrays.")
    arrays: dict[str, NDArray[Any]] = {}
    for name, limit in most.items():
        if name not in model:
            raise LSFError("bad_flame", f'It has no array "{name}".')
        arrays[name] = _dense(name, model.pop(name), limit)
    return arrays


def _check_program(data: bytes) -> None:
    """Refuse a pickle whose instructions could take more memory than the file has.

    Raises:
        LSFError: "bad_flame".
        ValueError: An instruction is unknown or cut off.
    """
    places: list[int] = []
    count = 0
    for instruction, argument, _ in pickletools.genops(data):
        count += 1
        if count > MAX_INSTRUCTIONS:
            raise LSFError("bad_flame", f"It has more than {MAX_INSTRUCTIONS} instructions.")
        if instruction.name in REFUSED:
            raise LSFError("bad_flame", "It refers to things outside the file.")
        if instruction.name in MEMO:
            places.append(int(argument or 0))
    if places and not 0 <= max(places) <= count:
        raise LSFError("bad_flame", "It numbers its objects in a way that Python does not.")


class _Inert:
    """Stands for an object of a package that is not imported. It keeps what the pickle gives it, and does nothing.

    Attributes:
        attributes: The attributes that were stored.
    """

    kind = ""  # the name of the class that it stands for

    attributes: dict[str, Any]

    def __new__(cls, *arguments: object) -> "_Inert":
        """Make an object, whatever the pickle passes. An unpickler may leave `__init__` out."""
        made = super().__new__(cls)
        made.attributes = {}
        return made

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.attributes = state

    def __setitem__(self, key: object, value: object) -> None:
        """Take no entries."""


class _NumberType:
    """Stands for `numpy.dtype`: a kind of number with its byte order."""

    def __init__(self, name: object = "", *flags: object):
        if not isinstance(name, str) or not NUMBER.fullmatch(name):
            raise LSFError("bad_flame", "It has arrays of something else than numbers.")
        self.value = np.dtype(name)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "=", "|"):
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands for a `numpy.ndarray` while it is read.

    Attributes:
        value: The array, empty until its state was read.
    """

    def __init__(self, *arguments: object):
        self.value: NDArray[Any] = np.zeros(0)

    def __setstate__(self, state: object) -> None:
        """Take the array's state: version, shape, kind of number, whether columns come first, and the bytes."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise LSFError("bad_flame", "It has an array of an unknown format.")
        self.value = _array(state[4], state[2], state[1], bool(state[3]))


def _array(data: object, kind: object, shape: object, columns_first: bool) -> NDArray[Any]:
    """Return an array over the bytes that the pickle holds. No other memory is allocated.

    Raises:
        LSFError: "bad_flame".
    """
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray) or not isinstance(kind, _NumberType):
        raise LSFError("bad_flame", "It has arrays of something else than numbers.")
    if (
        not isinstance(shape, tuple)
        or len(shape) > MAX_DIMENSIONS
        or not all(isinstance(n, int) and 0 <= n <= len(data) for n in shape)
    ):
        raise LSFError("bad_flame", "It has an array of an impossible shape.")
    count = 1
    for length in shape:
        count *= length
    if count * kind.value.itemsize != len(data):
        raise LSFError("bad_flame", "It has an array whose shape and bytes contradict each other.")
    return np.frombuffer(data, kind.value).reshape(shape, order="F" if columns_first else "C")


def _from_buffer(data: object, kind: object, shape: object, order: object) -> _Array:
    """Stand for the function that numpy stores in pickles of protocol 5."""
    array = _Array()
    array.value = _array(data, kind, shape, order == "F")
    return array


def _scalar(kind: object, data: object = b"") -> object:
    """Stand for a number with a numpy type."""
    return _array(data, kind, (1,), False)[0].item()


def _bytes(text: object, encoding: object = "latin1") -> bytes:
    """Stand for `_codecs.encode`, by which Python 3 stores bytes in old protocols."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise LSFError("bad_flame", "It has text in an unknown encoding.")
    return text.encode("latin1")


def _new_object(kind: object, *arguments: object) -> object:
    """Stand for `copy_reg._reconstructor`, which makes an object without calling its constructor."""
    if not (isinstance(kind, type) and issubclass(kind, _Inert)):
        raise LSFError("bad_flame", "It makes objects that are no arrays.")
    return kind()


class _Call:
    """A function of this module, as a pickle gets it. Its attributes cannot be set, unlike those of a function."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]):
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise LSFError("bad_flame", "It changes what it must only call.")


_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _NumberType,
    **{(module, "_reconstruct"): _Array for module in _ARRAY_MODULES},
    **{(module, "scalar"): _Call(_scalar) for module in _ARRAY_MODULES},
    **{(module, "_frombuffer"): _Call(_from_buffer) for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("_codecs", "encode"): _Call(_bytes),
    ("copy_reg", "_reconstructor"): _Call(_new_object),
    ("copyreg", "_reconstructor"): _Call(_new_object),
    # Attributes of chumpy's objects that hold no array; the names are Python 2's and Python 3's.
    **{(module, name): _Inert for module in ("__builtin__", "builtins") for name in ("object", "set", "frozenset")},
    ("collections", "OrderedDict"): _Inert,
    ("collections", "defaultdict"): _Inert,
}


class _Loader(pickle.Unpickler):
    """Python's unpickler, for which only the names above exist."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Return what stands for a class or function that the pickle names.

        Raises:
            LSFError: "bad_flame" for every other name.
        """
        if module.split(".")[0] in INERT_PACKAGES:
            return type("_Inert", (_Inert,), {"kind": name})
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise LSFError(
                "bad_flame", f'It wants "{module}.{name}", where only arrays of numbers are allowed.'
            ) from None


def _dense(name: str, value: object, limit: int) -> NDArray[Any]:
    """Return the array of a numpy array, a chumpy object or a sparse matrix.

    Args:
        name: Its name, for errors.
        value: What the pickle has under this name.
        limit: Number of entries that it may have.

    Raises:
        LSFError: "bad_flame".
    """
    for _ in range(MAX_NESTING):
        if isinstance(value, _Inert) and "x" in value.attributes:
            value = value.attributes["x"]
    if isinstance(value, _Inert):
        return _dense_matrix(name, value, limit)
    if not isinstance(value, _Array):
        raise LSFError("bad_flame", f'"{name}" is no array of numbers.')
    if value.value.size > limit:
        raise LSFError("bad_flame", f'"{name}" must have at most {limit} numbers.')
    return value.value


def _dense_matrix(name: str, matrix: _Inert, limit: int) -> NDArray[Any]:
    """Return a matrix of `scipy.sparse`, by columns or by rows, as an array.

    Raises:
        LSFError: "bad_flame".
    """
    by_columns = matrix.kind.startswith("csc_")
    shape = matrix.attributes.get("_shape", matrix.attributes.get("shape"))
    parts = [matrix.attributes.get(part) for part in ("data", "indices", "indptr")]
    if not (by_columns or matrix.kind.startswith("csr_")) or not all(isinstance(part, _Array) for part in parts):
        raise LSFError("bad_flame", f'"{name}" is stored as {matrix.kind or "an object"}, which cannot be read.')
    numbers, places, starts = (part.value for part in parts if isinstance(part, _Array))
    if not (isinstance(shape, tuple) and len(shape) == 2 and all(isinstance(n, int) and n > 0 for n in shape)):
        raise LSFError("bad_flame", f'"{name}" has no shape.')
    outer, inner = (shape[1], shape[0]) if by_columns else shape
    if outer * inner > limit:
        raise LSFError("bad_flame", f'"{name}" must have at most {limit} numbers.')
    if (
        any(part.ndim != 1 for part in (numbers, places, starts))
        or numbers.dtype.kind != "f"
        or places.dtype.kind not in "iu"
        or starts.dtype.kind not in "iu"
        or len(places) != len(numbers)
        or len(starts) != outer + 1
        or int(starts[0]) != 0
        or int(starts[-1]) != len(numbers)
        or (np.diff(starts.astype(np.int64)) < 0).any()
        or (len(places) and not 0 <= int(places.min()) <= int(places.max()) < inner)
    ):
        raise LSFError("bad_flame", f'"{name}" is a damaged sparse matrix.')
    lengths = (starts[1:].astype(np.int64) - starts[:-1].astype(np.int64)).astype(np.int64)
    dense = np.zeros((outer, inner))
    np.add.at(dense, (np.repeat(np.arange(outer), lengths), places), numbers)
    return dense.T if by_columns else dense
