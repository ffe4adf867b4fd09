"""Expression curves: from the network's emotion probabilities to poses on the face.

Poses are EMFACS combinations of action units (Ekman, Friesen and Hager 2002; contempt: Ekman and Heider 1988). Their
intensity follows the voice: it rises with speech activity, with loudness and with pitch, and falls when speech ends.
They are a layer of their own on top of the speech, so that emotion does not cost the lips their synchrony.
"""

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS, channel_indices
from ...numerics import FloatArray, smoothstep
from ...protocol.emotions import EMOTION_CLASSES, EMOTIONS
from .. import prosody
from ..easing import attack_release

# Weights of the full pose; a name without a side stands for both sides. The comments name the action units.
POSES: dict[str, dict[str, float]] = {
    "angry": {
        "browDown": 0.8,
        "eyeSquint": 0.35,
        "eyeWide": 0.25,
        "noseSneer": 0.25,
        "mouthPress": 0.15,
        "mouthFrown": 0.15,
    },  # 4, 5, 7, 23
    "disgusted": {
        "noseSneer": 0.8,
        "browDown": 0.35,
        "eyeSquint": 0.3,
        "cheekSquint": 0.25,
        "mouthFrown": 0.25,
        "mouthUpperUp": 0.15,
    },  # 9, 10, 15
    "fearful": {
        "browInnerUp": 0.85,
        "browOuterUp": 0.45,
        "browDown": 0.15,
        "eyeWide": 0.7,
        "mouthStretch": 0.25,
    },  # 1, 2, 4, 5, 20
    "happy": {"mouthSmile": 0.7, "cheekSquint": 0.7, "eyeSquint": 0.4, "browOuterUp": 0.15},  # 6, 12
    "sad": {"browInnerUp": 0.9, "browDown": 0.15, "mouthFrown": 0.4, "eyeBlink": 0.15},  # 1, 4, 15
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 0.85, "eyeWide": 0.7},  # 1, 2, 5
    "neutral": {},
    "contempt": {
        "mouthSmileLeft": 0.35,
        "mouthDimpleLeft": 0.5,
        "cheekSquintLeft": 0.25,
        "eyeSquint": 0.2,
        "browDownRight": 0.15,
    },  # 12 and 14 on one side
}
# For a voice unlike those in training, every class gets a few per cent, and the right class only half the probability.
# So the evidence e is the probability above a floor, and the intensity is e / (e + HALF_SATURATION).
PROBABILITY_FLOOR, HALF_SATURATION = 0.15, 0.10
BOREDOM_AS_SADNESS = 0.3  # strength of the sad pose that shows boredom, which has no pose
READER_WINDOW = 3.0  # seconds from which the emotion reader takes its statistics: 2 · SPAN of server.model.emotion
MOOD_SMOOTHING = 1.0  # seconds, standard deviation of the Gaussian over time
MIN_READER_WEIGHT = 1e-4  # of a window without speech; where nobody speaks at all, all windows count alike
SILENCE_DEPTH, SILENCE_LEVEL = 32, -60  # decibels below the loud parts, dBFS: the higher of both separates silence
RESTING_OPENING, TALKING_OPENING = 0.001, 0.003  # metres: largest lip aperture within half a second, at rest, in speech
LOUDNESS_RANGE = 14  # decibels below the loud parts; quieter speech has no arousal
PITCH_RANGE = 6  # semitones above the voice's median of full arousal
AROUSAL_ATTACK, AROUSAL_RELEASE = 0.15, 0.6  # time constants in seconds
ATTACK, RELEASE = 0.25, 0.6  # time constants in seconds of a pose's onset and decay
ACTIVITY_HOLD = 1 / 3  # seconds of the maximum filter over speech activity: short gaps do not weaken a pose
CALM_INTENSITY, AROUSAL_GAIN = 0.7, 0.45  # intensity of a pose at arousal 0, and what arousal 1 adds to it


def pose(emotion: str) -> NDArray[np.float32]:
    """Return the weights (52,) of the full pose of one of EMOTIONS."""
    weights = np.zeros(len(CHANNELS), np.float32)
    for name, weight in POSES[emotion].items():
        weights[channel_indices(name)] = weight
    return weights


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

    threshold = max(float(np.percentile(level, prosody.LOUD_PERCENTILE)) - SILENCE_DEPTH, SILENCE_LEVEL)
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
    evidence = np.maximum(probabilities - PROBABILITY_FLOOR, 0)
    intensity = evidence / (evidence + HALF_SATURATION)
    weights = np.zeros((len(probabilities), len(EMOTIONS)), np.float32)
    for k, name in enumerate(EMOTION_CLASSES):
        if name == "bored":
            weights[:, EMOTIONS.index("sad")] += BOREDOM_AS_SADNESS * intensity[:, k]
        elif name != "neutral":
            weights[:, EMOTIONS.index(name)] += intensity[:, k]
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    weights[:, EMOTIONS.index("neutral")] = 1 - weights.sum(1)
    return weights


def expression_curves(
    emotions: FloatArray, voice: prosody.Voice, activity: FloatArray, fps: float
) -> NDArray[np.float32]:
    """Make the curves that emotion adds to the speech.

    Args:
        emotions: (F, 8) intensities in the order of EMOTIONS, frame i at i / fps seconds.
        voice: Loudness and pitch of the line.
        activity: (F,) speech activity, 0 to 1.
        fps: Frames per second.

    Returns:
        ARKit curves (F, 52): the poses, scaled by the envelope of speech and by arousal.
    """
    from scipy.ndimage import maximum_filter1d

    frames = len(emotions)
    loudness = prosody.at_frames(prosody.relative_loudness(voice.level, LOUDNESS_RANGE), frames, fps)
    pitch = prosody.at_frames(np.clip(voice.pitch / PITCH_RANGE, 0, 1), frames, fps)
    arousal = attack_release(0.5 * loudness + 0.5 * pitch, AROUSAL_ATTACK, AROUSAL_RELEASE, fps)
    envelope = attack_release(maximum_filter1d(activity, max(1, round(ACTIVITY_HOLD * fps))), ATTACK, RELEASE, fps)
    poses = np.stack([pose(name) for name in EMOTIONS])
    curves: FloatArray = (envelope * (CALM_INTENSITY + AROUSAL_GAIN * arousal))[:, None] * (emotions @ poses)
    return curves.astype(np.float32)
