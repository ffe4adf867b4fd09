"""Brows mark prominence: they rise on stressed syllables (Cavé et al. 1996; Krahmer and Swerts 2007).

Loudness and pitch of a syllable can be measured, so this is a rule and not learned. `perform` takes the maximum of
these curves and the network's brow curves, and adds emotion afterwards.
"""

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS, channel_indices
from ..numerics import FloatArray
from . import prosody
from .easing import attack_release

GAINS = {"browInnerUp": 0.5, "browOuterUp": 0.35, "eyeWide": 0.12}  # weight of each channel at full prominence
LOUDNESS_RANGE = 14.0  # decibels below the loud parts; quieter syllables have no prominence
ACCENT_START, ACCENT_FULL = 1.5, 7.5  # semitones above the voice's median at which an accent begins and is full
LOUDNESS_SHARE = 0.15  # prominence of a loud syllable without a pitch accent
ATTACK, RELEASE = 0.08, 0.3  # time constants in seconds


def brow_prominence(voice: prosody.Voice, activity: FloatArray, fps: float) -> NDArray[np.float32]:
    """Raise brows and upper lids with the prominence of the voice.

    Args:
        voice: Loudness and pitch of the line.
        activity: (F,) speech activity, 0 to 1.
        fps: Frames per second; frame i lies at i / fps seconds.

    Returns:
        ARKit curves (F, 52), 0 to 1; all channels but those of GAINS are 0.
    """
    frames = len(activity)
    loudness = prosody.at_frames(prosody.relative_loudness(voice.level, LOUDNESS_RANGE), frames, fps)
    pitch = prosody.at_frames(prosody.median_filtered(voice.pitch), frames, fps)
    accent = np.clip((pitch - ACCENT_START) / (ACCENT_FULL - ACCENT_START), 0, 1)
    prominence = attack_release(activity * (loudness * (accent + LOUDNESS_SHARE)), ATTACK, RELEASE, fps)
    curves = np.zeros((frames, len(CHANNELS)), np.float32)
    for name, gain in GAINS.items():
        curves[:, channel_indices(name)] = (gain * prominence)[:, None]
    return curves.clip(0, 1)
