"""How far the mouth opens in each line, frame by frame, from the predictions stored with the Actions."""

from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from ..prediction import lips, store
from ..scene.own_properties import lines_of

FULL_OPENING = 15.0  # millimetres between the lips that fill the height of the graph


class MouthOpening(NamedTuple):
    """The opening of the mouth in a line.

    Attributes:
        first_frame: First frame of the line.
        opening: (F,) from 0, closed, to 1.
    """

    first_frame: int
    opening: NDArray[np.float32]


# Name of the Action, id and first frame of the line, last bytes of the stored motion: it ends with a checksum of zlib.
CacheKey = tuple[str, str, int, bytes]
_cache: dict[CacheKey, MouthOpening] = {}


def openings_by_strip() -> dict[str, MouthOpening]:
    """The opening of the mouth in each line with a stored prediction, by the id of its strip.

    Each prediction is read once, and again when it changes.
    """
    found: dict[str, MouthOpening] = {}
    used: dict[CacheKey, MouthOpening] = {}
    for action in bpy.data.actions:
        for record in lines_of(action):
            kept = store.record_of(action, store.PROPERTY, record.uid)
            if not store.is_readable(kept):
                continue
            key = action.name, record.uid, record.first_frame, bytes(kept["motion"]["bytes"][-64:])
            opening = _cache.get(key) or _measure(action, record.uid, record.first_frame)
            if opening is not None:
                used[key] = found[record.uid] = opening
    _cache.clear()
    _cache.update(used)
    return found


def clear_cache() -> None:
    """Forget the openings that were measured."""
    _cache.clear()


def _measure(action: bpy.types.Action, uid: str, first_frame: int) -> MouthOpening | None:
    """The opening of the mouth in the prediction of a line; None if that cannot be read."""
    predicted = store.load(action, uid)
    if predicted is None:
        return None
    millimetres = predicted.motion @ lips.opening(predicted.lips)
    return MouthOpening(first_frame, np.clip(millimetres / FULL_OPENING, 0, 1).astype(np.float32))
