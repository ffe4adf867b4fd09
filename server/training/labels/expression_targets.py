"""Expression targets: the poses of the emotions, and how strongly each clip of speech shows one over time.

    python -m server.training.labels.expression_targets CORPUS... --data DATA --work WORK

No corpus here has a well-tracked upper face with emotion. Poses are EMFACS combinations of action units (Ekman, Friesen
and Hager 2002; contempt: Ekman and Heider 1988). Their intensity follows the voice: it rises with speech activity, with
loudness and with pitch, and falls when speech ends. In training, the target is speech + intensity · Σ weight · pose,
with random weights of the emotions, which the model gets as a place in its emotion stream.

WORK/intensity/CORPUS.npz holds one (F,) float32 array for every clip of WORK/targets/CORPUS.npz, at 25 fps.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ...arkit import CHANNELS, channel_indices
from ...files.audio import load_16k
from ...numerics import FloatArray
from ...performance import prosody
from ...performance.easing import attack_release
from ...performance.emotion.expression import speech_activity
from ...performance.lip_contact import opening
from ...protocol.emotions import EMOTIONS
from .. import FPS, corpora

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


def poses() -> NDArray[np.float32]:
    """Return the weights (8, 52) of all poses in the order of EMOTIONS."""
    return np.stack([pose(name) for name in EMOTIONS])


def intensity(audio: FloatArray, speech: FloatArray) -> NDArray[np.float32]:
    """Return how strongly an emotion shows in a clip over time.

    Args:
        audio: (N,) speech at 16 kHz.
        speech: (F, 52) its target curves without an expression, at 25 fps.

    Returns:
        (F,) factor of a pose: 0 at rest, CALM_INTENSITY in calm speech, up to 1.15.
    """
    frames = len(speech)
    voice = prosody.measure(audio)
    activity = speech_activity(voice.level, opening(speech), FPS)
    loudness = prosody.at_frames(prosody.relative_loudness(voice.level, LOUDNESS_RANGE), frames, FPS)
    pitch = prosody.at_frames(np.clip(voice.pitch / PITCH_RANGE, 0, 1), frames, FPS)
    arousal = attack_release(0.5 * loudness + 0.5 * pitch, AROUSAL_ATTACK, AROUSAL_RELEASE, FPS)
    envelope = attack_release(maximum_filter1d(activity, max(1, round(ACTIVITY_HOLD * FPS))), ATTACK, RELEASE, FPS)
    factor: NDArray[np.float32] = (envelope * (CALM_INTENSITY + AROUSAL_GAIN * arousal)).astype(np.float32)
    return factor


def main() -> None:
    """Write the intensities of the given corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", choices=list(corpora.READERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    (args.work / "intensity").mkdir(parents=True, exist_ok=True)
    for corpus in args.corpora:
        targets = np.load(args.work / "targets" / f"{corpus}.npz")
        sounds = {clip.name: clip.audio for clip in corpora.read(corpus, args.data)}
        arrays: dict[str, Any] = {name: intensity(load_16k(sounds[name]), targets[name]) for name in targets.files}
        np.savez(args.work / "intensity" / f"{corpus}.npz", **arrays)  # Any: savez has keyword arguments of other types
        print(f"{corpus}: mean intensity {np.concatenate(list(arrays.values())).mean():.2f}", flush=True)


if __name__ == "__main__":
    main()
