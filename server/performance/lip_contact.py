"""Lips are soft: they touch before the mouth's midpoints meet.

A model trained to be right on average stops most closures a little short, and half a millimetre between the lips of
p, b or m is what the eye sees first. Apertures of that size are closed the rest of the way, by `mouthClose`, as lips do
under pressure; wide ones stay as they are, and the order of apertures never changes.
"""

from functools import cache

import numpy as np

from ..arkit import CHANNELS

REACH = 0.0007  # metres between the inner lips: much wider apertures stay, much narrower ones close
NARROW = 0.0015  # metres below which an expression may hardly part the lips further
UPPER, LOWER = 62, 66  # landmarks in the middle of the inner lips
CLOSE, ROLL = CHANNELS.index("mouthClose"), CHANNELS.index("mouthRollLower")
ROUND = [i for i, c in enumerate(CHANNELS) if c in ("mouthPucker", "mouthFunnel")]
SPREAD = [i for i, c in enumerate(CHANNELS) if c.startswith(("mouthSmile", "mouthStretch", "mouthDimple"))]
ROUNDED = 0.6  # pucker and funnel together of an "oo" or "oh"
GIVES_WAY = 0.7  # share of a smile that such lips take back


def close_near_contacts(speech: np.ndarray) -> np.ndarray:
    """ARKit curves (F, 52), 0 to 1, in which lips that nearly meet on the project's head do meet."""
    aperture, result = speech @ _gaps()[:, 1], speech.copy()
    narrowed = np.maximum(aperture, 0) * np.exp(-np.square(aperture / REACH))
    result[:, CLOSE] = np.clip(speech[:, CLOSE] - narrowed / _gaps()[CLOSE, 1], 0, 1)
    return result


def add_expression(speech: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Curves (F, 52), 0 to 1, of speech with an expression (F, 52) on top, whose lips meet and round where those of
    speech do.

    A smile or a sneer moves the lips apart, forward and up. Where they are to meet, `mouthClose` and `mouthRollLower`
    take that back: people roll the lips in to say "b" while they smile. And lips cannot be round and wide at once: on
    "oh" the corners of a smiling mouth come in, while the cheeks stay up.
    """
    gaps = _gaps()
    rounding = np.clip(speech[:, ROUND].sum(1, keepdims=True) / ROUNDED, 0, 1)
    expression = expression.copy()
    expression[:, SPREAD] *= 1 - GIVES_WAY * rounding
    together = np.exp(-((opening(speech) / NARROW) ** 4))
    back = np.linalg.solve(gaps[[CLOSE, ROLL]].T, -(expression @ gaps).T).T
    motion = speech + expression
    motion[:, [CLOSE, ROLL]] += (together[:, None] * back).astype(motion.dtype)
    return motion.clip(0, 1)


def opening(speech: np.ndarray) -> np.ndarray:
    """Metres by which ARKit curves (F, 52) part the lips of the project's head, (F,), 0 or more."""
    return np.maximum(speech @ _gaps()[:, 1], 0)


@cache
def _gaps() -> np.ndarray:
    """Metres (52, 2) by which each channel at 1 moves the upper lip of the head back and up from the lower."""
    from ..face.head import load_head  # brings scipy, which must not hold up the server's first answer

    head = load_head()
    upper, lower = head.landmark_vertices[[UPPER, LOWER]]
    return head.basis[:, upper, 1:] - head.basis[:, lower, 1:]
