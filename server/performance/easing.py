"""Movements that start and stop smoothly."""

import numpy as np


def attack_release(signal: np.ndarray, attack: float, release: float, fps: float) -> np.ndarray:
    """A signal (F,) that rises within `attack` and falls within `release` seconds."""
    up, down = 1 - np.exp(-1 / (attack * fps)), 1 - np.exp(-1 / (release * fps))
    followed, level = np.empty(len(signal)), 0.0
    for i, value in enumerate(signal.tolist()):
        level += (up if value > level else down) * (value - level)
        followed[i] = level
    return followed
