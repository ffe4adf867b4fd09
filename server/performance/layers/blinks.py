"""Blinks: when lids close is chance more than sound, so that a model which regresses them learns eyes that never close.

People who talk blink some twenty times a minute (Bentivoglio et al. 1997), and like to do it where a phrase ends
(Nakano and Kitazawa 2010). The lids fall faster than they rise (Caffier et al. 2003).
"""

import numpy as np

from ...files.audio import SAMPLE_RATE
from ...numerics import smoothstep
from .. import prosody

CLOSING, CLOSED, OPENING = 0.10, 0.04, 0.20  # seconds
USUAL, SPREAD = 2.9, 0.45  # seconds from blink to blink: the median, and the standard deviation of its logarithm
SHORTEST = 1.0  # seconds
EARLY, LATE = 1.2, 0.8  # seconds by which a blink leaves its time for the end of a phrase


def curve(audio: np.ndarray, times: np.ndarray, seed: int) -> np.ndarray:
    """How far the lids are closed (F,), 0 to 1, at evenly spaced `times` (F,) seconds of speech (N,) at 16 kHz.

    The same `seed` gives the same blinks.
    """
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
    return lids(blink_times(audio, seed) - times[0], len(times), fps)


def lids(times: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """How far the lids are closed (F,), 0 to 1, with a blink at each of `times` (seconds, when the lids meet first).

    Blinks begin on the raster of frames: between two frames, their sharp peak would be lost.
    """
    curve = np.zeros(frames, np.float32)
    around = np.arange(-np.ceil(CLOSING * fps), np.ceil((CLOSED + OPENING) * fps) + 1).astype(int)  # frames of a blink
    falling = 1 - np.clip(-around / fps / CLOSING, 0, 1)
    rising = 1 - np.clip((around / fps - CLOSED) / OPENING, 0, 1)
    shut = smoothstep(np.minimum(falling, rising))
    for frame in np.round(np.asarray(times) * fps).astype(int):
        inside = (frame + around >= 0) & (frame + around < frames)
        at = (frame + around)[inside]
        curve[at] = np.maximum(curve[at], shut[inside])
    return curve


def blink_times(audio: np.ndarray, seed: int) -> np.ndarray:
    """Seconds of the blinks (n,) in speech (N,) at 16 kHz: at a natural rate, where phrases end if one is near."""
    rng = np.random.default_rng(seed)
    duration, ends = len(audio) / SAMPLE_RATE, prosody.phrase_ends(audio) + CLOSING
    times, last = [], -rng.uniform(0, USUAL)  # as if cut out of a longer performance
    while True:
        planned = last + max(SHORTEST, USUAL * np.exp(SPREAD * rng.standard_normal()))
        near = ends[(ends > max(last + SHORTEST, planned - EARLY)) & (ends < planned + LATE)]
        last = near[np.argmin(np.abs(near - planned))] if len(near) else planned
        if last > duration - CLOSED - OPENING:  # a lid that is still closed on the last frame would stay so
            return np.array(times)
        if last > CLOSING:
            times.append(last)
