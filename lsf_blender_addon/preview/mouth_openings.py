"""How far the mouth opens in each line of a scene, frame by frame, from the predictions stored with the Actions."""

from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from ..prediction import lips, store

FULL_OPENING = 15.0  # millimetres between the lips that fill the height of the graph


class MouthOpening(NamedTuple):
    """The opening of the mouth in a line.

    Attributes:
        first_frame: First frame of the line.
        opening: (F,) from 0, closed, to 1.
    """

    first_frame: int
    opening: NDArray[np.float32]


# Names of Action and strip, first frame, last bytes of the stored motion: it ends with a checksum, as zlib writes it.
CacheKey = tuple[str, str, int, bytes]
_cache: dict[CacheKey, MouthOpening] = {}


def openings_by_strip(scene: bpy.types.Scene) -> dict[str, MouthOpening]:
    """The opening of the mouth for each strip of the scene with a stored prediction, by the strip's name.

    Each prediction is read once, and again when it changes.
    """
    found: dict[str, MouthOpening] = {}
    used: dict[CacheKey, MouthOpening] = {}
    for action in bpy.data.actions:
        kept = action.get(store.PROPERTY)
        if kept is None or kept.get("scene") != scene.name:
            continue
        key = action.name, kept.get("strip"), kept.get("first_frame"), bytes(kept["motion"]["bytes"][-64:])
        opening = _cache.get(key) or _measure(action)
        if opening is not None:
            used[key] = found[kept["strip"]] = opening
    _cache.clear()
    _cache.update(used)
    return found


def clear_cache() -> None:
    """Forget the openings that were measured."""
    _cache.clear()


def _measure(action: bpy.types.Action) -> MouthOpening | None:
    """The opening of the mouth in the prediction stored with an Action; None if that cannot be read."""
    predicted = store.load(action)
    if predicted is None:
        return None
    millimetres = predicted.motion @ lips.opening(predicted.lips)
    return MouthOpening(predicted.first_frame, np.clip(millimetres / FULL_OPENING, 0, 1).astype(np.float32))
