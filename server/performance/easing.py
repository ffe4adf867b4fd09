"""Smoothing over time with different time constants for rise and fall."""

import numpy as np
from numpy.typing import NDArray

from ..numerics import FloatArray


def attack_release(signal: FloatArray, attack: float, release: float, fps: float) -> NDArray[np.float64]:
    """Follow a signal as an envelope follower does: a first-order low-pass with one time constant up, another down.

    Args:
        signal: (F,) values, one per frame.
        attack: Time constant in seconds while the signal is above the envelope.
        release: Time constant in seconds while it is below.
        fps: Frames per second.

    Returns:
        (F,) the envelope, which begins at 0.
    """
    up, down = 1 - np.exp(-1 / (attack * fps)), 1 - np.exp(-1 / (release * fps))
    envelope, level = np.empty(len(signal)), 0.0
    for i, value in enumerate(signal.tolist()):
        level += (up if value > level else down) * (value - level)
        envelope[i] = level
    return envelope
