"""The emotion that a voice shows: from the reader's probabilities over time to intensities.

A wrong emotion is worse than none, so a face stays near neutral unless the reader is sure. The thresholds below were
chosen on people, voices and recordings that the reader was not fitted on (server/training/train_emotion.py prints what
they give); docs/training.md has the figures.
"""

import numpy as np
from numpy.typing import NDArray

from ...numerics import FloatArray, smoothstep
from ...protocol.emotions import EMOTION_CLASSES, EMOTIONS
from ...protocol.phrases import LOUD_PERCENTILE
from .. import prosody

# Probability of an emotion -> its intensity, linear in between. Below the first it is not shown; from there to the
# second it is only hinted at. Joy needs more, and more still where sadness is likely: weeping and laughter sound alike,
# and a smile on a sad line is the worst error.
INTENSITIES = (0.0, 0.3, 0.9)
PROBABILITIES = (0.15, 0.40, 0.55)
JOY_PROBABILITIES = (0.18, 0.42, 0.57)
SADNESS_AGAINST_JOY = 1.5  # times the probability of sadness is taken from that of joy
UNSHOWN = ("neutral", "bored")  # boredom has no pose; as sadness it would be wrong
READER_WINDOW = 3.0  # seconds from which the emotion reader takes its statistics: 2 · SPAN of server.model.emotion
MOOD_SMOOTHING = 1.0  # seconds, standard deviation of the Gaussian over time
MIN_READER_WEIGHT = 1e-4  # of a window without speech; where nobody speaks at all, all windows count alike
SILENCE_DEPTH, SILENCE_LEVEL = 32, -60  # decibels below the loud parts, dBFS: the higher of both separates silence
RESTING_OPENING, TALKING_OPENING = 0.001, 0.003  # metres: largest lip aperture within half a second, at rest, in speech


def speech_activity(level: FloatArray, opening: FloatArray, fps: float) -> FloatArray:
    """Detect speech: the sound is loud and the lips move.

    Breaths and noise may be as loud as a voice, but the lips do not move then.

    Args:
        level: (n,) level of the voice in decibels, see `prosody.loudness`.
        opening: (F,) aperture of the lips in metres.
        fps: Frames per second.

    Returns:
        (F,) 0 to 1: 1 in speech.
    """
    from scipy.ndimage import maximum_filter1d

    threshold = max(float(np.percentile(level, LOUD_PERCENTILE)) - SILENCE_DEPTH, SILENCE_LEVEL)
    loud = prosody.at_frames((level > threshold).astype(float), len(opening), fps)
    widest = maximum_filter1d(opening, max(1, round(fps)), mode="nearest")
    return loud * smoothstep(widest, RESTING_OPENING, TALKING_OPENING)


def smooth_probabilities(probabilities: FloatArray, activity: FloatArray, fps: float) -> NDArray[np.float32]:
    """Average the reader's probabilities over time, weighted by speech activity.

    The reader classifies a window that is partly silent differently from the voice in it, so its weight is lower.

    Args:
        probabilities: (F, E) probabilities of the emotion classes.
        activity: (F,) speech activity, 0 to 1.
        fps: Frames per second.

    Returns:
        (F, E) smoothed probabilities.
    """
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    active_share = uniform_filter1d(activity, max(1, round(READER_WINDOW * fps)), mode="nearest")
    weight = np.square(active_share)[:, None] + MIN_READER_WEIGHT
    sigma = MOOD_SMOOTHING * fps
    total: FloatArray = gaussian_filter1d(weight * probabilities, sigma, 0, mode="nearest")
    return (total / gaussian_filter1d(weight, sigma, 0, mode="nearest")).astype(np.float32)


def detected_emotion(probabilities: FloatArray) -> NDArray[np.float32]:
    """Map probabilities of emotion classes to intensities of the emotions that the face can show.

    Args:
        probabilities: (F, len(EMOTION_CLASSES)) smoothed probabilities.

    Returns:
        (F, 8) intensities in the order of EMOTIONS, 0 to 1, that sum to 1.
    """
    weights = np.zeros((len(probabilities), len(EMOTIONS)), np.float32)
    for k, name in enumerate(EMOTION_CLASSES):
        if name not in UNSHOWN:
            evidence, thresholds = probabilities[:, k], PROBABILITIES
            if name == "happy":
                evidence = evidence - SADNESS_AGAINST_JOY * probabilities[:, EMOTION_CLASSES.index("sad")]
                thresholds = JOY_PROBABILITIES
            weights[:, EMOTIONS.index(name)] = np.interp(evidence, thresholds, INTENSITIES)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    weights[:, EMOTIONS.index("neutral")] = 1 - weights.sum(1)
    return weights
