"""Gaze: small eye movements of a person who talks to somebody.

The statistics are those of a talking person (Lee, Badler and Badler 2002, Eyes Alive): mutual gaze of 3.1 s and
gaze aversion of 0.93 s on average, exponential amplitudes, and more horizontal and vertical shifts than oblique ones.
Aversions are limited to 15 degrees, because the head follows larger ones (Stahl 1999). A speaker tends to look back
where a phrase ends (Kendon 1967). During mutual gaze, the eyes move between the partner's eyes and mouth. The duration
of a saccade grows with its amplitude (the main sequence: Bahill, Clark and Stark 1975).
"""

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray, smoothstep
from .. import prosody

MUTUAL_GAZE, AVERSION = 3.13, 0.93  # mean seconds
MIN_FIXATION = 0.25  # seconds
MEAN_AMPLITUDE, MIN_AMPLITUDE, MAX_AMPLITUDE = 6.9, 3.0, 15.0  # degrees of an aversion, exponentially distributed
DIRECTIONS = np.array(
    [15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79]
)  # per cent, every 45 degrees, from the left upward
FACE_TARGETS = np.array([[-1.5, 0.0], [1.5, 0.0], [0.0, -3.3]])  # degrees to eyes and mouth of a person 1.2 m away
FACE_TARGET_SHARES = np.array([0.42, 0.42, 0.16])
MEDIAN_FIXATION, LOG_SPREAD = 0.7, 0.5  # seconds on one of these: median, and standard deviation of the logarithm
SCATTER = 0.3  # degrees, standard deviation about a target
PHRASE_END_WAIT = 0.6  # seconds by which the look back may wait for the end of a phrase
SACCADE, SACCADE_PER_DEGREE = 0.025, 0.0024  # seconds
STRAIGHT_GAZE = 0.4  # seconds of gaze straight ahead at the end of a line; once to twice as long at its start


def curve(voice: prosody.Voice, times: FloatArray, seed: int) -> NDArray[np.float32]:
    """Make the gaze of a line, which begins and ends straight ahead.

    Args:
        voice: What is measured of the line.
        times: (F,) seconds of the audio.
        seed: The same seed gives the same gaze.

    Returns:
        (F, 2) degrees: to the character's left, and up.
    """
    onsets, targets = fixations(voice.seconds, prosody.phrase_ends(voice.level), seed)
    previous = np.vstack((np.zeros(2), targets[:-1]))
    duration = SACCADE + SACCADE_PER_DEGREE * np.linalg.norm(targets - previous, axis=1)
    current = np.searchsorted(onsets, times, "right") - 1
    onset = np.where(current >= 0, onsets[current], 0.0)
    progress = smoothstep((times - onset) / duration[current])[:, None]
    gaze = previous[current] + (targets[current] - previous[current]) * progress
    return np.where((current >= 0)[:, None], gaze, 0.0).astype(np.float32)


def fixations(duration: float, phrase_ends: FloatArray, seed: int) -> tuple[FloatArray, FloatArray]:
    """Draw the fixations of a line.

    Args:
        duration: Seconds of the line.
        phrase_ends: (m,) seconds at which a phrase ends, ascending.
        seed: The same seed gives the same fixations.

    Returns:
        Onsets (n,) in seconds of the saccades to each target, and the targets (n, 2) in degrees.
    """
    rng = np.random.default_rng((seed, 1))
    onsets = [0.0]
    targets: list[FloatArray] = [np.zeros(2)]
    now, last = STRAIGHT_GAZE * rng.uniform(1, 2), duration - STRAIGHT_GAZE
    while now < last:
        until = now + max(MIN_FIXATION, rng.exponential(MUTUAL_GAZE))
        while now < min(until, last):
            onsets.append(now)
            targets.append(_target_on_face(rng))
            now += max(MIN_FIXATION, MEDIAN_FIXATION * np.exp(LOG_SPREAD * rng.standard_normal()))
        back = now + max(MIN_FIXATION, rng.exponential(AVERSION))
        near = phrase_ends[(phrase_ends > back) & (phrase_ends < back + PHRASE_END_WAIT)]
        back = near[0] if len(near) else back
        if back < last:
            onsets.append(now)
            targets.append(_averted_target(rng))
        now = back
    onsets.append(max(last, onsets[-1] + MIN_FIXATION))
    targets.append(np.zeros(2))
    return np.array(onsets), np.array(targets)


def _target_on_face(rng: np.random.Generator) -> FloatArray:
    """Draw a target (2,) in degrees on the partner's face."""
    target: FloatArray = FACE_TARGETS[rng.choice(len(FACE_TARGETS), p=FACE_TARGET_SHARES)]
    return target + SCATTER * rng.standard_normal(2)


def _averted_target(rng: np.random.Generator) -> FloatArray:
    """Draw a target (2,) in degrees away from the partner."""
    low, high = np.exp(-np.array([MIN_AMPLITUDE, MAX_AMPLITUDE]) / MEAN_AMPLITUDE)
    amplitude = -MEAN_AMPLITUDE * np.log(rng.uniform(high, low))
    angle = np.radians(45 * (rng.choice(8, p=DIRECTIONS / DIRECTIONS.sum()) + rng.uniform(-0.5, 0.5)))
    return np.array([amplitude * np.cos(angle), amplitude * np.sin(angle)])
