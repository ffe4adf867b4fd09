"""Smooth transitions and averages over time. No bpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def smoothstep(t: Floats) -> Floats:
    """Return the cubic that rises from 0 to 1 with slope 0 at both ends, at t in 0 to 1, any shape."""
    result: Floats = t * t * (3 - 2 * t)
    return result


def hann_average(values: Floats, frames: float) -> Floats:
    """Average over time with a Hann window.

    Args:
        values: Values (F, …), one row per frame; the first and the last row are repeated beyond the ends.
        frames: Length of the window, in frames.

    Returns:
        Averages (F, …), or the values themselves if the window is a single frame.
    """
    half = round(frames / 2)
    if half < 1:
        return values
    window = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, [(half, half), *[(0, 0)] * (values.ndim - 1)], "edge")
    return np.apply_along_axis(np.convolve, 0, padded, window / window.sum(), "valid")
