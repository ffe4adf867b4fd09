"""Lips are soft: they touch before the mouth's midpoints meet.

A model trained to be right on average stops most closures a little short, and half a millimetre between the lips of
p, b or m is what the eye sees first. Apertures of that size are closed the rest of the way, by `mouthClose`, as lips do
under pressure; wide ones stay as they are, and the order of apertures never changes.
"""

from functools import cache

import numpy as np

from .arkit import CHANNELS

REACH = 0.0014  # metres between the inner lips: much wider apertures stay, much narrower ones close
UPPER, LOWER = 62, 66  # landmarks in the middle of the inner lips


def touch(motion: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """ARKit curves (F, 52), 0 to 1, in which lips meet on the project's head where those of `speech` (F, 52) nearly do.

    `speech` is the motion itself, or what it was before an expression pulled at the lips.
    """
    opening, k = _opening(), CHANNELS.index("mouthClose")
    gap = np.maximum(motion @ opening, 0)
    narrowed = gap * np.exp(-np.square(speech @ opening / REACH))
    result = motion.copy()
    result[:, k] = np.clip(motion[:, k] - narrowed / opening[k], 0, 1)
    return result


@cache
def _opening() -> np.ndarray:
    """Metres by which each channel at 1 parts the lips of the project's head (52,)."""
    from .face import load_head  # brings scipy, which must not hold up the server's first answer
    head = load_head()
    upper, lower = head.landmark_vertices[[UPPER, LOWER]]
    return head.basis[:, upper, 2] - head.basis[:, lower, 2]
