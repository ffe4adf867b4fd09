"""Head motion: nods on stressed syllables, and a slow sway.

A talker's head moves with the pitch and the loudness of the voice (Munhall et al. 2004): quickly on stressed syllables,
little in pauses (Hadar et al. 1983), within a few degrees (Busso et al. 2007). The sizes of nods and sway were chosen
by eye.
"""

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray, smoothstep
from ...protocol.phrases import pauses
from .. import prosody

NOD, NOD_LOG_SPREAD = 3.0, 0.4  # degrees of a nod on the strongest accent; standard deviation of its logarithm
STRENGTH_EXPONENT = 1.5  # of an accent's strength: weak accents give small nods
UPWARD_SHARE, UPWARD_SIZE = 0.15, 0.6  # share of the nods that go up instead, and their size relative to the others
DOWN, UP = 0.22, 0.42  # seconds to the lowest point, and back
NOD_DELAY = 0.04  # seconds from the accent to the lowest point
SWAY = np.array([0.9, 1.1, 1.8])  # degrees about X (looks down), Y (tilts), Z (turns): standard deviation
MAX_SWAY = 2  # standard deviations
SWAY_INTERVAL = 0.6, 2.0  # least and greatest seconds from one posture to the next
PAUSE_SWAY = 0.35  # share of the sway that stays in a pause
FADE = 0.5  # seconds in which the motion fades in at the start of a line and out at its end


def curve(voice: prosody.Voice, times: FloatArray, seed: int) -> NDArray[np.float32]:
    """Make the head rotation of a line, which begins and ends at 0.

    Args:
        voice: What is measured of the line.
        times: (F,) seconds of the audio.
        seed: The same seed gives the same motion.

    Returns:
        (F, 3) Euler angles XYZ in radians for a face that looks along -Y, Z up: about X (positive looks down), about Y
        (positive tilts the crown to the character's left), about Z (positive turns to that left).
    """
    rng = np.random.default_rng((seed, 2))
    degrees = _sway(voice, times, rng)
    degrees[:, 0] += _nods(prosody.accents(voice), times, rng)
    ends = np.minimum(times, voice.seconds - times) / FADE
    return np.radians(degrees * smoothstep(ends)[:, None]).astype(np.float32)


def _nods(accents: prosody.Accents, times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Nods in degrees (F,), positive down; larger on stronger accents, a few of them upward."""
    total = np.zeros(len(times))
    for second, strength in zip(accents.seconds + NOD_DELAY, accents.strength, strict=True):
        size = NOD * strength**STRENGTH_EXPONENT * np.exp(NOD_LOG_SPREAD * rng.standard_normal())
        size *= -UPWARD_SIZE if rng.random() < UPWARD_SHARE else 1
        first, last = np.searchsorted(times, (second - DOWN, second + UP))
        x = times[first:last] - second
        total[first:last] += size * smoothstep(1 - np.abs(x) / np.where(x < 0, DOWN, UP))
    return total


def _sway(voice: prosody.Voice, times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Sway in degrees (F, 3): a spline through random postures, smaller ones in pauses."""
    from scipy.interpolate import CubicSpline

    duration = voice.seconds
    steps = rng.uniform(*SWAY_INTERVAL, int(duration / SWAY_INTERVAL[0]) + 4)
    knots = np.concatenate(([0.0], steps.cumsum()))
    knots = knots[: np.searchsorted(knots, duration) + 2]
    postures = SWAY * np.clip(rng.standard_normal((len(knots), 3)), -MAX_SWAY, MAX_SWAY)
    for start, end in zip(*pauses(voice.level), strict=True):
        postures[(knots > start) & (knots < end)] *= PAUSE_SWAY
    angles: FloatArray = CubicSpline(knots, postures)(np.clip(times, 0, duration))
    return angles
