"""Mouth opening by vocal effort: loud syllables open the mouth wider than quiet ones.

The input of the articulation model is phones, without their loudness. The amount by which the mouth opens wider differs
between faces. The tracked speaker reads commands at a constant level, so the amount cannot be learned from him. It was
chosen by how well models follow two unseen people (figures in docs/training.md).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...arkit import CHANNELS
from ...numerics import FloatArray
from ...performance import prosody
from ...performance.lip_contact import opening
from .. import FPS

OPENING_GAIN = 0.2  # decibels of opening for each decibel of level
DELAY = 0.03  # seconds by which the opening follows the level at the centre of its window
SMOOTHING = 0.04  # seconds: standard deviation of the Gaussian average over time
DYNAMIC_RANGE = 40.0  # decibels below the 98th percentile at which the level is cut off
LEVEL_LIMITS = -20.0, 10.0  # decibels relative to the clip's mean
OPEN_SHARE = 0.15  # of the 95th percentile of the clip's aperture: frames with a wider mouth count as speech
OPENING_CHANNELS = [
    i for i, c in enumerate(CHANNELS) if c.startswith(("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp"))
]


def scale_opening_by_loudness(speech: FloatArray, audio: FloatArray) -> FloatArray:
    """Open the mouth wider where the voice is louder than the clip's mean, and less where it is quieter.

    Args:
        speech: (F, 52) ARKit curves at 25 fps, 0 to 1.
        audio: (N,) speech at 16 kHz.

    Returns:
        (F, 52) curves, 0 to 1, in which the channels that open the mouth are scaled.
    """
    aperture = opening(speech)
    speaking = aperture > OPEN_SHARE * np.percentile(aperture, 95)
    if not speaking.any():
        return speech
    level = prosody.at_frames(prosody.loudness(audio), len(speech), FPS, DELAY)
    level = gaussian_filter1d(np.maximum(level, np.percentile(level, 98) - DYNAMIC_RANGE), SMOOTHING * FPS)
    relative = np.clip(level - level[speaking].mean(), *LEVEL_LIMITS)
    result = speech.copy()
    result[:, OPENING_CHANNELS] *= (10 ** (OPENING_GAIN * relative / 20))[:, None]
    return result.clip(0, 1)
