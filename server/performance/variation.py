"""Take variation: differences between takes of a line, in addition to the sampled codes of the network.

A person who repeats a line moves more or less, raises the brows at other words, and shows more or less emotion; the
lips still meet on every p, b and m. Slow random curves scale the mouth's opening, the brows, the lids and the emotion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS

KNOT_INTERVAL = 1.2  # seconds from one random value to the next
OPENING_SPREAD, EMOTION_SPREAD, BROW_SPREAD, LID_SPREAD = 0.9, 1.5, 0.9, 0.5  # standard deviations at temperature 1
CONSTANT_SHARE, VARYING_SHARE = 0.7, 0.7  # of the deviation: over the line, and from knot to knot
MAX_DEVIATION = 2  # standard deviations
MOUTH = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]
BROW_RAISE = [i for i, c in enumerate(CHANNELS) if c.startswith(("browInnerUp", "browOuterUp"))]
BROW = [i for i, c in enumerate(CHANNELS) if c.startswith("brow")]
SQUINT = [i for i, c in enumerate(CHANNELS) if c.startswith("eyeSquint")]
WIDE = [i for i, c in enumerate(CHANNELS) if c.startswith("eyeWide")]


@dataclass(frozen=True)
class Take:
    """Factors and offsets of one take, (F,) each.

    Attributes:
        opening: Factor of the channels of jaw and mouth, about 1.
        emotion: Factor of the expression, about 1.
        brows: Offset of the brows, about 0; it raises them and scales their movement.
        lids: Offset of the lids, about 0; above 0 they squint, below they widen.
    """

    opening: NDArray[np.float32]
    emotion: NDArray[np.float32]
    brows: NDArray[np.float32]
    lids: NDArray[np.float32]

    @classmethod
    def draw(cls, frames: int, fps: float, temperature: float, seed: int) -> "Take":
        """Draw a random take.

        Args:
            frames: F, the number of frames.
            fps: Frames per second.
            temperature: 0 changes nothing; the variation grows with it.
            seed: The same seed gives the same take.

        Returns:
            The curves of the take: the sum of a part that is constant over the line and a part that varies slowly.
        """
        from scipy.interpolate import PchipInterpolator

        rng = np.random.default_rng((seed, 7))  # 7 and the like in other modules: independent streams of one seed
        knots = np.arange(int(frames / fps / KNOT_INTERVAL) + 3) * KNOT_INTERVAL
        constant, varying = rng.standard_normal((4, 1)), rng.standard_normal((4, len(knots)))
        values = np.clip(CONSTANT_SHARE * constant + VARYING_SHARE * varying, -MAX_DEVIATION, MAX_DEVIATION)
        curves = temperature * PchipInterpolator(knots, values, axis=1)(np.arange(frames) / fps)
        opening, emotion, brows, lids = curves.astype(np.float32)
        return cls(
            np.exp(OPENING_SPREAD * opening), np.exp(EMOTION_SPREAD * emotion), BROW_SPREAD * brows, LID_SPREAD * lids
        )

    def apply(self, speech: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the ARKit curves (F, 52), 0 to 1, of `speech` (F, 52) in this take."""
        varied = speech.copy()
        varied[:, MOUTH] *= self.opening[:, None]  # opening and closing alike, so that lips that meet stay together
        varied[:, BROW] *= np.exp(2 * self.brows)[:, None]
        varied[:, BROW_RAISE] += np.maximum(self.brows, 0)[:, None]
        varied[:, SQUINT] += np.maximum(self.lids, 0)[:, None]
        varied[:, WIDE] += np.maximum(-self.lids, 0)[:, None]
        return varied.clip(0, 1)
