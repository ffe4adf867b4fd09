"""Loud sounds open the mouth wider than quiet ones: the articulation model knows what is said, not how loudly.

How much wider differs from face to face. The tracked speaker reads commands in one voice and shows nothing of it, so
the amount was chosen by how well models follow two people whom they never saw (figures in docs/training.md).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...arkit import CHANNELS
from ...performance import prosody
from ...performance.lip_contact import opening
from .. import FPS

SHARE = 0.2  # decibels of opening for each decibel of sound
LATER = 0.04  # seconds by which the opening follows the loudness
SMOOTH = 0.04  # seconds, standard deviation of the average over time
QUIETEST = 40.0  # decibels below the loud parts that are still heard
LOWEST, HIGHEST = -20.0, 10.0  # decibels about the clip's mean
OPEN = 0.15  # of the clip's wide apertures: where the mouth counts as open
OPENING = [
    i for i, c in enumerate(CHANNELS) if c.startswith(("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp"))
]


def scale_opening_by_loudness(speech: np.ndarray, audio: np.ndarray) -> np.ndarray:
    """ARKit curves (F, 52), 0 to 1, at 25 fps, of speech (N,) at 16 kHz, in which the mouth opens wider where the voice
    is louder than the clip's mean, and less wide where it is quieter.
    """
    aperture = opening(speech)
    spoken = aperture > OPEN * np.percentile(aperture, 95)
    if not spoken.any():
        return speech
    level = prosody.at_frames(prosody.loudness(audio), len(speech), FPS, LATER)
    level = gaussian_filter1d(np.maximum(level, np.percentile(level, 98) - QUIETEST), SMOOTH * FPS)
    above = np.clip(level - level[spoken].mean(), LOWEST, HIGHEST)
    result = speech.copy()
    result[:, OPENING] *= (10 ** (SHARE * above / 20))[:, None]
    return result.clip(0, 1)
