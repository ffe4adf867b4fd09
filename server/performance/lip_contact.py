"""Lip contact: closes the last gap between lips that nearly meet, and keeps closures under an expression.

Lips are soft: they touch before the midpoints of their edges meet. A model with least mean error stops most closures
half a millimetre short, which is visible on every p, b and m. `mouthClose` closes apertures of that size. Wide ones do
not change, and the order of apertures is preserved. The distances below are the only thresholds of lip contact on the
server; they are measured between the inner lips of the project's head.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..numerics import FloatArray

CONTACT_APERTURE = 0.0007  # metres: apertures well below it are closed, apertures well above it are kept
GUARDED_APERTURE = 0.0015  # metres: an expression hardly opens apertures below it
UPPER_LIP, LOWER_LIP = 62, 66  # iBUG-68 landmarks in the middle of the inner lips
MOUTH_CLOSE, MOUTH_ROLL_LOWER = CHANNELS.index("mouthClose"), CHANNELS.index("mouthRollLower")
ROUNDING = [i for i, c in enumerate(CHANNELS) if c in ("mouthPucker", "mouthFunnel")]
SPREADING = [i for i, c in enumerate(CHANNELS) if c.startswith(("mouthSmile", "mouthStretch", "mouthDimple"))]
FULL_ROUNDING = 0.6  # sum of pucker and funnel in "oo" and "oh"
SPREADING_SHARE = 0.7  # share of an expression's spreading that fully rounded lips remove


def close_near_contacts(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Close the lips where they nearly meet on the project's head.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.

    Returns:
        Curves (F, 52), 0 to 1, that differ in `mouthClose` only.
    """
    aperture, result = speech @ _lip_offsets()[:, 1], speech.copy()
    closed = np.maximum(aperture, 0) * np.exp(-np.square(aperture / CONTACT_APERTURE))  # metres to take away
    result[:, MOUTH_CLOSE] = np.clip(speech[:, MOUTH_CLOSE] - closed / _lip_offsets()[MOUTH_CLOSE, 1], 0, 1)
    return result


def add_expression(speech: NDArray[np.float32], expression: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add an expression to speech without opening its closures or spreading its rounded lips.

    A smile or a sneer moves the lips apart, forward and up. Where they must meet, `mouthClose` and `mouthRollLower`
    compensate for that, as people roll their lips in to say "b" while they smile. Lips cannot be rounded and spread at
    once: on "oh" the corners of a smiling mouth come in, while the cheeks stay up.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.
        expression: What emotion adds to them (F, 52).

    Returns:
        Curves (F, 52), 0 to 1, of both together.
    """
    offsets = _lip_offsets()
    rounding = np.clip(speech[:, ROUNDING].sum(1, keepdims=True) / FULL_ROUNDING, 0, 1)
    expression = expression.copy()
    expression[:, SPREADING] *= 1 - SPREADING_SHARE * rounding
    expression = (speech + expression).clip(0, 1) - speech  # what the limits take away moves no lip
    closure = np.exp(-((opening(speech) / GUARDED_APERTURE) ** 4))  # 1 where the lips must meet
    correction = np.linalg.solve(offsets[[MOUTH_CLOSE, MOUTH_ROLL_LOWER]].T, -(expression @ offsets).T).T
    motion = speech + expression
    motion[:, [MOUTH_CLOSE, MOUTH_ROLL_LOWER]] += (closure[:, None] * correction).astype(motion.dtype)
    return motion.clip(0, 1)


def opening(speech: FloatArray) -> FloatArray:
    """Return the aperture (F,) in metres, 0 or more, of the project's head under ARKit curves (F, 52)."""
    return np.maximum(speech @ _lip_offsets()[:, 1], 0)


@cache
def _lip_offsets() -> NDArray[np.float32]:
    """Metres (52, 2) by which each channel at 1 moves the upper lip of the head back and up relative to the lower."""
    from ..face.head import load_head  # loads scipy, which must not delay the server's first answer

    head = load_head()
    upper, lower = head.landmark_vertices[[UPPER_LIP, LOWER_LIP]]
    offsets: NDArray[np.float32] = head.basis[:, upper, 1:] - head.basis[:, lower, 1:]
    return offsets
