"""Head: nods on stressed syllables, and a slow sway.

A talker's head moves with the pitch and the loudness of the voice (Munhall et al. 2004): quickly on stressed syllables,
hardly in pauses (Hadar et al. 1983), by a few degrees in all (Busso et al. 2007). How large each movement is here is a
choice of ours.
"""

import numpy as np

from ...files.audio import SAMPLE_RATE
from ...numerics import smoothstep
from .. import prosody

NOD, NOD_SPREAD = 3.0, 0.4  # degrees of a nod on the strongest accent; standard deviation of its logarithm
UPWARD = 0.15  # share of the accents on which the head goes up instead
DOWN, UP = 0.22, 0.42  # seconds to the lowest point, and back
LAG = 0.04  # seconds from the accent to the lowest point
SWAY = np.array([0.9, 1.1, 1.8])  # degrees about X (looks down), Y (tilts), Z (turns): standard deviation
SWAY_EVERY = 0.6, 2.0  # seconds from one posture to the next
STILL = 0.35  # share of the sway that stays in a pause
SETTLING = 0.5  # seconds in which the head comes from and goes back to its pose at the ends of a line


def curve(audio: np.ndarray, times: np.ndarray, seed: int) -> np.ndarray:
    """Head rotation (F, 3) in radians at `times` (F,) seconds of speech (N,) at 16 kHz; the same `seed` gives the same.

    Euler angles XYZ for a face that looks along -Y, Z up: about X (positive looks down), about Y (positive tilts the
    crown to the character's left), about Z (positive turns to that left). The line begins and ends at 0.
    """
    rng = np.random.default_rng((seed, 2))
    degrees = _sway(audio, times, rng)
    degrees[:, 0] += _nods(prosody.accents(audio), times, rng)
    ends = np.minimum(times, len(audio) / SAMPLE_RATE - times) / SETTLING
    return np.radians(degrees * smoothstep(ends)[:, None]).astype(np.float32)


def _nods(accents: prosody.Accents, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros(len(times))
    for second, strength in zip(accents.seconds + LAG, accents.strength, strict=True):
        size = NOD * strength**1.5 * np.exp(NOD_SPREAD * rng.standard_normal()) * (-0.6 if rng.random() < UPWARD else 1)
        first, last = np.searchsorted(times, (second - DOWN, second + UP))
        x = times[first:last] - second
        total[first:last] += size * smoothstep(1 - np.abs(x) / np.where(x < 0, DOWN, UP))
    return total


def _sway(audio: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    duration = len(audio) / SAMPLE_RATE
    steps = rng.uniform(*SWAY_EVERY, int(duration / SWAY_EVERY[0]) + 4)
    knots = np.concatenate(([0.0], steps.cumsum()))
    knots = knots[: np.searchsorted(knots, duration) + 2]
    postures = SWAY * np.clip(rng.standard_normal((len(knots), 3)), -2, 2)
    for start, stop in zip(*prosody.pauses(audio), strict=True):
        postures[(knots > start) & (knots < stop)] *= STILL
    return CubicSpline(knots, postures)(np.clip(times, 0, duration))
