"""How far the mouth opens in each line of a scene, frame by frame, from the predictions kept with the Actions."""

import bpy
import numpy as np

from ..prediction import lips, store

BOTTOM, HEIGHT = 0.12, 0.55  # of a channel: a strip leaves some room to the next, and its name stands above
FULL_OPENING = 15.0  # millimetres between the lips that fill the graph

_known: dict[tuple, tuple[int, np.ndarray]] = {}  # by the Action's name and the bytes kept on it


def openings_by_strip(scene: bpy.types.Scene) -> dict[str, tuple[int, np.ndarray]]:
    """For each strip of the scene that was generated: its first frame, and (F,) float32 openings from 0 to 1."""
    lines, seen = {}, {}
    for action in bpy.data.actions:
        kept = action.get(store.PROPERTY)
        if kept is None or kept.get("scene") != scene.name:
            continue
        key = action.name, kept.get("strip"), kept.get("first_frame"), bytes(kept["motion"]["bytes"][:64])
        seen[key] = _known.get(key) or _measure(action)
        if seen[key] is not None:
            lines[kept["strip"]] = seen[key]
    _known.clear()
    _known.update({key: line for key, line in seen.items() if line is not None})
    return lines


def clear_cache() -> None:
    _known.clear()


def _measure(action: bpy.types.Action) -> tuple[int, np.ndarray] | None:
    predicted = store.load(action)
    if predicted is None:
        return None
    opening = predicted.motion @ lips.opening(predicted.lips)
    return predicted.first_frame, np.clip(opening / FULL_OPENING, 0, 1).astype(np.float32)
