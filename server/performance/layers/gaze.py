"""Gaze: small shifts of the eyes of somebody who talks to somebody.

The statistics are those of a talking person that Lee, Badler and Badler measured (Eyes Alive, 2002): looks at the
partner of 3.1 s and looks away of 0.93 s in the mean, exponential amplitudes, more of them level or upright than
oblique. Looks away are kept to 15 degrees, as the head would go along with larger ones (Stahl 1999). A speaker tends to
look back where a phrase ends (Kendon 1967). While they are at the partner, the eyes go between that person's eyes and
mouth. A saccade lasts the longer, the further it goes (the main sequence: Bahill, Clark and Stark 1975).
"""

import numpy as np

from ...files.audio import SAMPLE_RATE
from ...numerics import smoothstep
from .. import prosody

LOOK_AT, LOOK_AWAY = 3.13, 0.93  # mean seconds
SHORTEST = 0.25  # seconds of a fixation
AMPLITUDE, SMALLEST, LARGEST = 6.9, 3.0, 15.0  # degrees of a look away: mean of the exponential, and its bounds
DIRECTIONS = np.array([15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79])  # per cent, every 45 degrees from level on
FACE = np.array([[-1.5, 0.0], [1.5, 0.0], [0.0, -3.3]])  # degrees to the eyes and mouth of somebody 1.2 m away
EYES_OR_MOUTH = np.array([0.42, 0.42, 0.16])
FIXATION, SPREAD = 0.7, 0.5  # seconds on one of these: the median, and the standard deviation of its logarithm
SCATTER = 0.3  # degrees
LATE = 0.6  # seconds by which the look back may wait for the end of a phrase
SACCADE, SACCADE_PER_DEGREE = 0.025, 0.0024  # seconds
CALM = 0.4  # seconds of straight gaze with which a line begins and ends


def curve(audio: np.ndarray, times: np.ndarray, seed: int) -> np.ndarray:
    """Gaze (F, 2) in degrees at `times` (F,) seconds of speech (N,) at 16 kHz; the same `seed` gives the same.

    Column 0 turns to the character's left, column 1 up. The line begins and ends with a straight gaze.
    """
    onsets, targets = fixations(len(audio) / SAMPLE_RATE, prosody.phrase_ends(audio), seed)
    before = np.vstack((np.zeros(2), targets[:-1]))
    lasting = SACCADE + SACCADE_PER_DEGREE * np.linalg.norm(targets - before, axis=1)
    at = np.searchsorted(onsets, times, "right") - 1
    began = np.where(at >= 0, onsets[at], 0.0)
    way = smoothstep((times - began) / lasting[at])[:, None]
    gaze = before[at] + (targets[at] - before[at]) * way
    return np.where((at >= 0)[:, None], gaze, 0.0).astype(np.float32)


def fixations(duration: float, phrase_ends: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (n,) at which the eyes leave for their next target, and these targets (n, 2) in degrees."""
    rng = np.random.default_rng((seed, 1))
    onsets, targets = [0.0], [np.zeros(2)]
    now, last = CALM * rng.uniform(1, 2), duration - CALM
    while now < last:
        until = now + max(SHORTEST, rng.exponential(LOOK_AT))
        while now < min(until, last):  # at the partner
            onsets.append(now)
            targets.append(FACE[rng.choice(len(FACE), p=EYES_OR_MOUTH)] + SCATTER * rng.standard_normal(2))
            now += max(SHORTEST, FIXATION * np.exp(SPREAD * rng.standard_normal()))
        back = now + max(SHORTEST, rng.exponential(LOOK_AWAY))
        near = phrase_ends[(phrase_ends > back) & (phrase_ends < back + LATE)]
        back = near[0] if len(near) else back
        if back < last:
            onsets.append(now)
            targets.append(_away(rng))
        now = back
    onsets.append(max(last, onsets[-1] + SHORTEST))
    targets.append(np.zeros(2))
    return np.array(onsets), np.array(targets)


def _away(rng: np.random.Generator) -> np.ndarray:
    low, high = np.exp(-np.array([SMALLEST, LARGEST]) / AMPLITUDE)
    amplitude = -AMPLITUDE * np.log(rng.uniform(high, low))
    angle = np.radians(45 * (rng.choice(8, p=DIRECTIONS / DIRECTIONS.sum()) + rng.uniform(-0.5, 0.5)))
    return amplitude * np.array([np.cos(angle), np.sin(angle)])
