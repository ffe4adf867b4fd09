"""Blinks: random in time, but likely at the end of a phrase.

A network cannot learn them from sound: regression of rare random events gives eyes that never close. Talking people
blink about twenty times a minute (Bentivoglio et al. 1997), often where a phrase ends (Nakano and Kitazawa 2010). The
lids fall faster than they rise (Caffier et al. 2003).
"""

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray, smoothstep
from .. import prosody

CLOSING, CLOSED, OPENING = 0.10, 0.04, 0.20  # seconds of each phase
MEDIAN_INTERVAL, LOG_SPREAD = 2.9, 0.45  # seconds between blinks: median, and standard deviation of the logarithm
MIN_INTERVAL = 1.0  # seconds
EARLY, LATE = 1.2, 0.8  # seconds by which a blink may move from its random time to the end of a phrase


def curve(voice: prosody.Voice, times: FloatArray, seed: int, rate: float = 1.0) -> NDArray[np.float32]:
    """Make the blinks of a line.

    Args:
        voice: What is measured of the line.
        times: (F,) evenly spaced seconds of the audio.
        seed: The same seed gives the same blinks.
        rate: How many blinks there are, relative to the default.

    Returns:
        (F,) closure of the lids, 0 to 1.
    """
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
    return lid_closure(blink_times(voice, seed, rate) - times[0], len(times), fps)


def lid_closure(times: FloatArray, frames: int, fps: float) -> NDArray[np.float32]:
    """Make the curve of the lids for given blinks.

    Blinks begin on whole frames: between two frames, their short peak would be lost.

    Args:
        times: (n,) seconds at which the lids of each blink first meet; frame 0 is at 0 s.
        frames: Number of frames F.
        fps: Frames per second.

    Returns:
        (F,) closure of the lids, 0 to 1.
    """
    curve = np.zeros(frames, np.float32)
    # Frames of one blink, relative to the one on which the lids meet.
    offsets = np.arange(-np.ceil(CLOSING * fps), np.ceil((CLOSED + OPENING) * fps) + 1).astype(int)
    falling = 1 - np.clip(-offsets / fps / CLOSING, 0, 1)
    rising = 1 - np.clip((offsets / fps - CLOSED) / OPENING, 0, 1)
    closure = smoothstep(np.minimum(falling, rising))
    for frame in np.round(np.asarray(times) * fps).astype(int):
        inside = (frame + offsets >= 0) & (frame + offsets < frames)
        at = (frame + offsets)[inside]
        curve[at] = np.maximum(curve[at], closure[inside])
    return curve


def blink_times(voice: prosody.Voice, seed: int, rate: float = 1.0) -> FloatArray:
    """Draw the times (n,) in seconds of the blinks in a line, moved to phrase ends that are near."""
    median = MEDIAN_INTERVAL / rate
    least = min(MIN_INTERVAL, median / 2)
    rng = np.random.default_rng(seed)
    duration, ends = voice.seconds, prosody.phrase_ends(voice.level) + CLOSING
    times: list[float] = []
    last = -rng.uniform(0, median)  # the line is a part of a longer performance
    while True:
        planned = last + max(least, median * np.exp(LOG_SPREAD * rng.standard_normal()))
        earliest = max(last + least, planned - EARLY)
        near = ends[np.searchsorted(ends, earliest, "right") : np.searchsorted(ends, planned + LATE)]
        last = near[np.argmin(np.abs(near - planned))] if len(near) else planned
        if last > duration - CLOSED - OPENING:  # a lid that is closed on the last frame would stay closed
            return np.array(times)
        if last > CLOSING:
            times.append(last)
