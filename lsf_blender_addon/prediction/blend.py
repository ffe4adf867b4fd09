"""Blends a new take of a part of a line into the earlier prediction of the line. No bpy."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..scene.smoothing import smoothstep
from .store import Prediction

BOTH = " + "  # between the names of models that have each made a part of a line
TRANSITION = 0.16  # seconds of the cross-fade at each end of the part, inside it


def new_take_weights(line: Prediction, first_frame: int, span: tuple[int, int]) -> NDArray[np.float32]:
    """Return the weight of the new take at each frame of a line.

    The weight stays 1 up to an end of the line that lies inside the span.

    Args:
        line: A prediction of the line.
        first_frame: Scene frame of its first row.
        span: First and last scene frame of the part, both included.

    Returns:
        Weights (F,), 0 to 1: 1 in the middle of the span and 0 outside.
    """
    count, (first, last) = len(line.motion), span
    frame = first_frame + np.arange(count)
    start = frame - first + 1.0 if first > frame[0] else np.full(count, np.inf)
    end = last - frame + 1.0 if last < frame[-1] else np.full(count, np.inf)
    t = np.clip(np.minimum(start, end) / (TRANSITION * line.fps + 1), 0, 1)
    return smoothstep(t).astype(np.float32)


def is_compatible(earlier: Prediction, new: Prediction) -> bool:
    """Return whether two predictions have the same channels, frame count and frame rate."""
    return (
        earlier.channels == new.channels
        and earlier.motion.shape == new.motion.shape
        and abs(earlier.fps - new.fps) < 1e-3
    )


def blended(earlier: Prediction, new: Prediction, weights: NDArray[np.float32]) -> Prediction:
    """Blend two compatible predictions.

    Args:
        earlier: The prediction that the line has.
        new: The new take.
        weights: Weights (F,) of the new take, 0 to 1.

    Returns:
        The new take with blended arrays, and the eyes of the earlier one: blinks and gaze cannot be cut into parts. If
        the emotions have other names, those of the new take are kept. If other models made them, both are named.
    """
    names = ("motion", "expression") + (("emotion",) if earlier.emotions == new.emotions else ())
    share = weights[:, None]
    arrays = {name: (1 - share) * getattr(earlier, name) + share * getattr(new, name) for name in names}
    models = dict.fromkeys(name for name in (*earlier.model.split(BOTH), new.model) if name)
    return replace(new, **arrays, blinks=earlier.blinks, gaze=earlier.gaze, model=BOTH.join(models))
