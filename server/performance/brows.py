"""Brows mark what is stressed: in every voice they rise with prominence (Cave et al. 1996; Krahmer and Swerts 2007).

How loud and how high a syllable is can be measured, so nothing of this is learned. What a model knows of the upper face
stays where it is more; what emotion adds is `emotion`'s.
"""

import numpy as np

from ..arkit import CHANNELS, channel_indices
from . import prosody
from .easing import attack_release

GAINS = {"browInnerUp": 0.5, "browOuterUp": 0.35, "eyeWide": 0.12}  # weight at full prominence
LOUD = 14.0  # decibels below the loud parts that count nothing
LOWEST, HIGHEST = 1.5, 7.5  # semitones above the voice's median: where an accent begins, where it is full
UNVOICED = 0.15  # share of loudness without height
ONSET, RELEASE = 0.08, 0.3  # seconds


def brows(voice: prosody.Voice, spoken: np.ndarray, fps: float) -> np.ndarray:
    """ARKit curves (F, 52) of brows and lids for a voice that is heard where it is `spoken` (F,), 0 to 1, at i / fps
    seconds.
    """
    from scipy.ndimage import median_filter

    frames = len(spoken)
    loud = prosody.at_frames(prosody.relative_loudness(voice.level, LOUD), frames, fps)
    height = prosody.at_frames(median_filter(voice.pitch, 5), frames, fps)
    accent = loud * (np.clip((height - LOWEST) / (HIGHEST - LOWEST), 0, 1) + UNVOICED)
    prominence = attack_release(spoken * accent, ONSET, RELEASE, fps)
    curves = np.zeros((frames, len(CHANNELS)), np.float32)
    for name, gain in GAINS.items():
        curves[:, channel_indices(name)] = (gain * prominence)[:, None]
    return curves.clip(0, 1)
