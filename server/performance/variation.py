"""Takes: how one line is said differently, above temperature 0, beyond what the model's codes vary.

A person who repeats a line moves more or less, lifts the brows elsewhere, and means it more or less; the lips still
meet on every p, b and m. So slow random curves scale the mouth's opening, the brows, the lids and the emotion.
"""

from dataclasses import dataclass

import numpy as np

from ..arkit import CHANNELS

SLOW = 1.2  # seconds from one random value to the next
OPENING, EMOTION, BROWS, LIDS = 0.9, 1.5, 0.9, 0.5  # standard deviations at temperature 1
MOUTH = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]
BROW_RAISE = [i for i, c in enumerate(CHANNELS) if c.startswith(("browInnerUp", "browOuterUp"))]
BROW = [i for i, c in enumerate(CHANNELS) if c.startswith("brow")]
SQUINT = [i for i, c in enumerate(CHANNELS) if c.startswith("eyeSquint")]
WIDE = [i for i, c in enumerate(CHANNELS) if c.startswith("eyeWide")]


@dataclass(frozen=True)
class Take:
    """Factors and offsets of one take, (F,) each; at temperature 0 it changes nothing."""

    opening: np.ndarray
    emotion: np.ndarray
    brows: np.ndarray
    lids: np.ndarray

    @classmethod
    def draw(cls, frames: int, fps: float, temperature: float, seed: int) -> "Take":
        from scipy.interpolate import PchipInterpolator

        rng = np.random.default_rng((seed, 7))
        knots = np.arange(int(frames / fps / SLOW) + 3) * SLOW
        whole, moment = rng.standard_normal((4, 1)), rng.standard_normal((4, len(knots)))
        values = np.clip(0.7 * whole + 0.7 * moment, -2, 2)
        curves = temperature * PchipInterpolator(knots, values, axis=1)(np.arange(frames) / fps)
        opening, emotion, brows, lids = curves.astype(np.float32)
        return cls(np.exp(OPENING * opening), np.exp(EMOTION * emotion), BROWS * brows, LIDS * lids)

    def apply(self, speech: np.ndarray) -> np.ndarray:
        """ARKit curves of the speech (F, 52) as this take says it."""
        varied = speech.copy()
        varied[:, MOUTH] *= self.opening[:, None]  # opening and closing alike, so that lips that meet stay together
        varied[:, BROW] *= np.exp(2 * self.brows)[:, None]
        varied[:, BROW_RAISE] += np.maximum(self.brows, 0)[:, None]
        varied[:, SQUINT] += np.maximum(self.lids, 0)[:, None]
        varied[:, WIDE] += np.maximum(-self.lids, 0)[:, None]
        return varied.clip(0, 1)
