"""Movements that start and stop smoothly."""

import numpy as np


def ease(x: np.ndarray) -> np.ndarray:
    """0 to 1 for x from 0 to 1, level at both ends."""
    return x * x * (3 - 2 * x)
