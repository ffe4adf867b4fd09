"""Targets of the upper face in speech without emotion: in every voice the brows rise with prominence (Cave et al.
1996; Krahmer and Swerts 2007). No corpus here has a tracked upper face that could be learned from; what emotion adds is
`server.emotion`'s.
"""

import numpy as np
from scipy import ndimage

from .. import arkit, emotion, prosody
from ..easing import follow
from . import FPS

PROMINENCE = {"browInnerUp": 0.5, "browOuterUp": 0.35, "eyeWide": 0.12}


def expression(audio: np.ndarray, frames: int) -> np.ndarray:
    """(frames, 52) curves of brows and lids at 25 fps for speech (N,) at 16 kHz; all others are 0."""
    audio = np.pad(audio, (0, max(0, (frames * 2 + 1) * prosody.HOP - len(audio))))
    level = prosody.loudness(audio)[: 2 * frames: 2]
    pitch = ndimage.median_filter(prosody.pitch(audio), 3)[: 2 * frames: 2]
    loud = np.clip((level - np.percentile(level, 95) + 14) / 14, 0, 1)
    accent = np.clip((pitch - 1.5) / 6, 0, 1) * loud + 0.15 * loud
    prominence = follow(accent * (level > max(np.percentile(level, 95) - 32, -60)), 0.08, 0.3, FPS)
    curves = np.zeros((frames, len(arkit.CHANNELS)), np.float32)
    for name, gain in PROMINENCE.items():
        curves[:, emotion.columns(name)] += (gain * prominence)[:, None]
    return curves.clip(0, 1)
