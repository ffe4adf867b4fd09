"""A new take for a part of a line only: blends the earlier prediction into the new one and back. No bpy."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..scene.smoothing import smoothstep
from .store import Prediction

TRANSITION = 0.16  # seconds that the blending takes, inside the part


def new_take_weights(line: Prediction, span: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much of the new take each frame of a line gets.

    There is no transition where the line itself begins or ends inside the span.

    Args:
        line: A prediction of the line.
        span: First and last scene frame of the part, both included.

    Returns:
        Weights (F,), 1 in the middle of the span and 0 outside.
    """
    count, (first, last) = len(line.motion), span
    frame = line.first_frame + np.arange(count)
    start = frame - first + 1.0 if first > frame[0] else np.full(count, np.inf)
    end = last - frame + 1.0 if last < frame[-1] else np.full(count, np.inf)
    t = np.clip(np.minimum(start, end) / (TRANSITION * line.fps + 1), 0, 1)
    return smoothstep(t).astype(np.float32)


def is_compatible(earlier: Prediction, new: Prediction) -> bool:
    """Return whether both have the same frames and channels, wherever the line lies now."""
    return (
        earlier.channels == new.channels
        and earlier.motion.shape == new.motion.shape
        and abs(earlier.fps - new.fps) < 1e-3
    )


def blended(earlier: Prediction, new: Prediction, weights: NDArray[np.float32]) -> Prediction:
    """Blend two compatible predictions.

    Args:
        earlier: The prediction that the line has.
        new: The new take, whose place and settings the result has.
        weights: Weights (F,) of the new take.
    """
    names = ("motion", "expression") + (("emotion",) if earlier.emotions == new.emotions else ())
    part = weights[:, None]
    arrays = {name: (1 - part) * getattr(earlier, name) + part * getattr(new, name) for name in names}
    return replace(new, **arrays)
