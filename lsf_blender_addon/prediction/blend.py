"""A new take for a part of a line only: the earlier prediction goes over into the new one and back, softly. No bpy."""

from dataclasses import replace

import numpy as np

from .store import Prediction

SOFT = 0.16  # seconds that a transition takes, inside the part


def share(line: Prediction, span: tuple[int, int]) -> np.ndarray:
    """(F,) float32: how much of a new take each frame of the line gets.

    All of it in the middle of the span, whose first and last scene frame belong to it, none outside. Where the line
    itself begins or ends inside the span, there is no transition.
    """
    count, (first, last) = len(line.motion), span
    frame = line.first_frame + np.arange(count)
    start = frame - first + 1.0 if first > frame[0] else np.full(count, np.inf)
    end = last - frame + 1.0 if last < frame[-1] else np.full(count, np.inf)
    t = np.clip(np.minimum(start, end) / (SOFT * line.fps + 1), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def fits(earlier: Prediction, new: Prediction) -> bool:
    """Whether both are of the same frames and channels of a line, wherever it lies now."""
    return (
        earlier.channels == new.channels
        and earlier.motion.shape == new.motion.shape
        and abs(earlier.fps - new.fps) < 1e-3
    )


def mixed(earlier: Prediction, new: Prediction, share: np.ndarray) -> Prediction:
    """The earlier prediction with its share (F,) of the new one, where that lies and with its settings."""
    names = ("motion", "expression") + (("emotion",) if earlier.emotions == new.emotions else ())
    part = share[:, None]
    return replace(new, **{name: (1 - part) * getattr(earlier, name) + part * getattr(new, name) for name in names})
