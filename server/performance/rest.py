"""Rest in pauses: between two stretches of speech the mouth closes.

The network learned from speakers who read one sentence at a time. It has heard few pauses, and it opens the mouth long
before a sound, as these speakers do before a sentence. Inside a line a mouth that stays open in silence looks wrong,
and the one tracked speaker with pauses closes his. Silence before the first and after the last sound is left to the
network.
"""

import numpy as np
from numpy.typing import NDArray

from ..files.audio import SAMPLE_RATE
from ..numerics import FloatArray, smoothstep
from ..protocol.phrases import pauses
from . import prosody

MIN_PAUSE = 0.5  # seconds; in shorter ones soft sounds may hide, or the mouth has no time to close (docs/training.md)
ONSET = 0.06  # seconds before and after the first sound over which the mouth opens
RELEASE = 0.08  # seconds after the last sound over which it closes


def pause_weight(level: FloatArray, frames: int, fps: float) -> FloatArray:
    """Return how far the mouth speaks: 1 in speech, 0 in pauses inside of the line, with smooth steps between.

    Args:
        level: (n,) level of the line in decibels, see `prosody.loudness`.
        frames: Number of frames; frame i lies at i / fps seconds.
        fps: Frames per second.

    Returns:
        (frames,) 0 to 1. All 1 where noise hides the pauses.
    """
    times = np.arange(frames) / fps
    weight = np.ones(frames)
    starts, ends = pauses(level)
    last = len(level) * prosody.HOP_LENGTH / SAMPLE_RATE  # the end of a pause that ends the line
    for start, end in zip(starts, ends, strict=True):
        if start > 0 and end < last and end - start >= MIN_PAUSE:
            pause = slice(*np.searchsorted(times, (start, end + ONSET)))  # an hour has thousands of pauses
            closing = 1 - smoothstep(times[pause], start, start + RELEASE)
            opening = smoothstep(times[pause], end - ONSET, end + ONSET)
            weight[pause] = np.minimum(weight[pause], np.maximum(closing, opening))
    return weight


def rest_in_pauses(speech: NDArray[np.float32], level: FloatArray, fps: float) -> NDArray[np.float32]:
    """Return curves (F, 52) that rest in the pauses inside of a line.

    Args:
        speech: ARKit curves (F, 52) of the speech alone, 0 to 1.
        level: As of `pause_weight`.
        fps: Frames per second of the curves.
    """
    resting: NDArray[np.float32] = speech * pause_weight(level, len(speech), fps)[:, None].astype(np.float32)
    return resting
