"""The record of what was written on an Action, key by key: a comparison tells which keys the artist has edited.

It is a custom property on the Action, so it is copied, appended and undone with it. No bpy at run time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..scene import stored
from .key_reduction import Keys
from .user_edits import SAME_FRAME, Range

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_curves"
REST = 1e-6  # a curve whose values are not larger rests
NO_KEYS = Keys(np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Record:
    """What was written on an Action.

    Attributes:
        keys: Generated keys by data path, without those of the artist.
        ranges: Frames that the artist has keyed by hand, by data path.
    """

    keys: dict[str, Keys] = field(default_factory=dict)
    ranges: dict[str, list[Range]] = field(default_factory=dict)


def load(action: bpy.types.Action) -> Record:
    """Return what was written on this Action; an empty record if nothing was, or if it cannot be read."""
    kept: Any = action.get(PROPERTY)  # what a file holds there may be anything: hence the errors below
    try:
        names = kept["paths"].split("\n") if kept["paths"] else []
        counts = np.frombuffer(kept["counts"], np.int32)
        numbers = np.frombuffer(kept["keys"], np.float32).reshape(-1, 3).astype(np.float64)
        if counts.min(initial=0) < 0 or counts.sum() != len(numbers) or not _is_sound(numbers):
            return Record()
        parts = np.split(numbers, np.cumsum(counts)[:-1]) if names else []
        ranges: dict[str, list[Range]] = {}
        for path, first, last in np.frombuffer(kept["ranges"], np.float64).reshape(-1, 3).tolist():
            if not (abs(first) < 2 * stored.LATEST and abs(last) < 2 * stored.LATEST):
                return Record()
            ranges.setdefault(names[int(path)], []).append((first, last))
        return Record({path: Keys(*part.T) for path, part in zip(names, parts, strict=True)}, ranges)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        return Record()


def _is_sound(numbers: NDArray[np.float64]) -> bool:
    """Whether frames and values (N, 3) are such that a scene may have; a slope may be unknown."""
    known = bool(np.isfinite(numbers[:, :2]).all()) and not bool(np.isinf(numbers[:, 2]).any())
    return known and bool((np.abs(numbers[:, 0]) < 2 * stored.LATEST).all())


def paths(action: bpy.types.Action) -> set[str]:
    """Return the data paths of the curves that were written; quicker than `load`."""
    kept: Any = action.get(PROPERTY)
    try:
        return set(kept["paths"].split("\n")) - {""}
    except (KeyError, TypeError, AttributeError):
        return set()


def store(action: bpy.types.Action, record: Record) -> None:
    """Put the record on the Action, as bytes: a list of numbers would be one property for each number."""
    names = list(record.keys)
    numbers = [np.stack([keys.frames, keys.values, keys.slopes], 1) for keys in record.keys.values()]
    index = {name: i for i, name in enumerate(names)}
    ranges = [(index[path], *span) for path, spans in record.ranges.items() if path in index for span in spans]
    action[PROPERTY] = {
        "paths": "\n".join(names),
        "counts": np.array([len(part) for part in numbers], np.int32).tobytes(),
        "keys": np.concatenate([np.zeros((0, 3)), *numbers]).astype(np.float32).tobytes(),
        "ranges": np.array(ranges, np.float64).tobytes(),
    }


def between(keys: Keys, window: Range) -> Keys:
    """Return the keys in a window."""
    first = np.searchsorted(keys.frames, window[0] - SAME_FRAME, "right")
    part = slice(first, np.searchsorted(keys.frames, window[1] + SAME_FRAME))
    return Keys(keys.frames[part], keys.values[part], keys.slopes[part])


def overlaps(span: Range, window: Range) -> bool:
    """Return whether a range reaches into a window."""
    return span[0] <= window[1] and window[0] <= span[1]


def rests(keys: Keys) -> bool:
    """Return whether a curve with these keys rests."""
    return bool(np.abs(keys.values).max(initial=0.0) <= REST)
