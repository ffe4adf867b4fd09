"""Loud sounds open the mouth wider than quiet ones.

A model hears what is said and draws the mouths it knows; how much wider one opens for a louder syllable differs from
face to face, and it learns their mean, which is little. On two people whom it never saw, its lips follow theirs better
when they go with the loudness a bit more; on the one it knows best, slightly worse (figures in docs/training.md).
"""

import numpy as np

from . import prosody
from .arkit import CHANNELS
from .contact import opening

SHARE = 0.1  # decibels of opening for each decibel of sound
LATER = 0.04  # seconds by which the opening follows the loudness
SMOOTH = 0.04  # seconds, standard deviation of the average over time
QUIETEST = 40.0  # decibels below the loud parts that are still heard
LOWEST, HIGHEST = -20.0, 10.0  # decibels about the line's mean
OPEN = 0.15  # of the line's wide apertures: where the mouth counts as open
OPENING = [i for i, c in enumerate(CHANNELS)
           if c.startswith(("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp"))]


def louder_wider(speech: np.ndarray, audio: np.ndarray, fps: float) -> np.ndarray:
    """ARKit curves (F, 52), 0 to 1, of speech (N,) at 16 kHz, in which the mouth opens wider where the voice is louder
    than the line's mean, and less wide where it is quieter."""
    from scipy.ndimage import gaussian_filter1d
    aperture = opening(speech)
    spoken = aperture > OPEN * np.percentile(aperture, 95)
    if not spoken.any():
        return speech
    level = prosody.at_frames(prosody.loudness(audio), len(speech), fps, LATER)
    level = gaussian_filter1d(np.maximum(level, np.percentile(level, 98) - QUIETEST), SMOOTH * fps)
    above = np.clip(level - level[spoken].mean(), LOWEST, HIGHEST)
    result = speech.copy()
    result[:, OPENING] *= (10 ** (SHARE * above / 20))[:, None]
    return result.clip(0, 1)
