"""Emotion on the face: what the voice implies, what the artist chooses, and the poses that show it.

Poses are EMFACS combinations of action units (Ekman, Friesen and Hager 2002; contempt: Ekman and Heider 1988). How
strong they are at a time follows the voice: they come with the speech, swell with loudness and pitch, and are let go of
when it ends. They are a layer of their own on top of the speech, so that emotion never costs the lips their sync.
"""

import numpy as np

from ...arkit import CHANNELS, channel_indices
from ...numerics import smoothstep
from ...protocol.emotions import EMOTION_CLASSES, EMOTIONS
from .. import prosody
from ..easing import attack_release

POSES = {  # both sides alike unless one is named; action units in the comments
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
# A voice unlike any in training gives every class a few per cent, and halves the right one's: what is above the floor
# counts, and counts for more the nearer it is to it.
FLOOR, HALF = 0.15, 0.10
BOREDOM = 0.3  # no pose of its own: a sad one of this strength
WINDOW, MOOD = 3.0, 1.0  # seconds that the reader looks at, and the standard deviation of the average over time
REST, TALK = 0.001, 0.003  # metres of opening within half a second: a resting mouth, and one that speaks
ONSET, RELEASE = 0.25, 0.6  # seconds


def pose(emotion: str) -> np.ndarray:
    """(52,) weights of the full pose."""
    weights = np.zeros(len(CHANNELS), np.float32)
    for name, weight in POSES[emotion].items():
        weights[channel_indices(name)] = weight
    return weights


def speaking(level: np.ndarray, opening: np.ndarray, fps: float) -> np.ndarray:
    """1 where somebody speaks (F,), 0 elsewhere, for a voice of this level (n,), as prosody has it, whose lips open so
    many metres (F,).

    Breaths and noise are as loud as a voice may be, but the mouth rests in them.
    """
    from scipy.ndimage import maximum_filter1d

    loud = prosody.at_frames((level > max(np.percentile(level, 95) - 32, -60)).astype(float), len(opening), fps)
    moving = maximum_filter1d(opening, max(1, round(fps)), mode="nearest")
    return loud * smoothstep(moving, REST, TALK)


def settled(probabilities: np.ndarray, spoken: np.ndarray, fps: float) -> np.ndarray:
    """The reader's probabilities (F, E) as a mood that holds: averaged over two seconds, where it is `spoken` (F,).

    A window that is half silence reads as something else than the voice in it.
    """
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    heard = uniform_filter1d(spoken, max(1, round(WINDOW * fps)), mode="nearest")
    weight = np.square(heard)[:, None] + 1e-4
    sigma = MOOD * fps
    return (
        gaussian_filter1d(weight * probabilities, sigma, 0, mode="nearest")
        / gaussian_filter1d(weight, sigma, 0, mode="nearest")
    ).astype(np.float32)


def implied(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of EMOTION_CLASSES (F, len(EMOTION_CLASSES)) -> intensities of EMOTIONS (F, 8) that sum to 1."""
    evidence = np.maximum(probabilities - FLOOR, 0)
    intensity = evidence / (evidence + HALF)
    weights = np.zeros((len(probabilities), len(EMOTIONS)), np.float32)
    for k, name in enumerate(EMOTION_CLASSES):
        if name == "bored":
            weights[:, EMOTIONS.index("sad")] += BOREDOM * intensity[:, k]
        elif name != "neutral":
            weights[:, EMOTIONS.index(name)] += intensity[:, k]
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    weights[:, EMOTIONS.index("neutral")] = 1 - weights.sum(1)
    return weights


def express(emotions: np.ndarray, voice: prosody.Voice, spoken: np.ndarray, fps: float) -> np.ndarray:
    """Emotions (F, 8) at i / fps seconds of a voice, and where it is spoken (F,) -> what they add to the ARKit curves
    (F, 52).
    """
    from scipy.ndimage import maximum_filter1d

    frames = len(emotions)
    loud = prosody.at_frames(prosody.relative_loudness(voice.level, 14), frames, fps)
    high = prosody.at_frames(np.clip(voice.pitch / 6, 0, 1), frames, fps)
    arousal = attack_release(0.5 * loud + 0.5 * high, 0.15, 0.6, fps)
    envelope = attack_release(maximum_filter1d(spoken, max(1, round(fps / 3))), ONSET, RELEASE, fps)
    poses = np.stack([pose(name) for name in EMOTIONS])
    return ((envelope * (0.7 + 0.45 * arousal))[:, None] * (emotions @ poses)).astype(np.float32)
