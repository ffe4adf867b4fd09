"""Arrays that several jobs have in common are kept in memory once. No bpy.

The lines of a batch are written together at its end. Until then each has a snapshot of its head, in which the shapes of
the head's own keys take tens of megabytes; with hundreds of lines they would fill the memory.
"""

from dataclasses import fields, is_dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")

_known: WeakValueDictionary[bytes, NDArray[Any]] = WeakValueDictionary()  # by a digest of type, shape and contents


def shared(value: Value) -> Value:
    """Return an equal value whose arrays are those of equal values that were given before, as far as these still live.

    It reads all arrays, a tenth of a second for a hundred megabytes: for a thread.

    Args:
        value: A dataclass; arrays in it, and in dataclasses and tuples of dataclasses in it, are shared. None of them
            may be changed any more.
    """
    result: Any = value
    if isinstance(value, np.ndarray):
        key = blake2b(f"{value.dtype.str} {value.shape}".encode(), digest_size=16)
        key.update(np.ascontiguousarray(value).view(np.uint8).data)
        result = _known.setdefault(key.digest(), value)
    elif isinstance(value, tuple) and value and all(is_dataclass(item) for item in value):
        result = tuple(shared(item) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        result = replace(value, **{part.name: shared(getattr(value, part.name)) for part in fields(value)})
    return result
