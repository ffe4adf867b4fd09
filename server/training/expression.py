"""Targets of the upper face and of the mouth corners: what the voice's prominence and its acted emotion do to a face.

No corpus here has a tracked emotional face, so these targets are made: poses of FACS/EMFACS action units per labelled
emotion (Ekman, Friesen and Hager 2002), times an intensity that follows loudness and pitch with onset, hold and
release; and for every voice the brows rise with prominence (Cave et al. 1996; Krahmer and Swerts 2007).
"""

import numpy as np
from scipy import ndimage

from .. import arkit
from . import FPS

RATE = 16000
POSES = {  # both sides alike; action units in the comments
    "neutral": {},
    "happy": {"mouthSmile": 0.55, "cheekSquint": 0.6, "eyeSquint": 0.35, "browOuterUp": 0.1},  # 6, 12
    "angry": {"browDown": 0.8, "eyeSquint": 0.35, "eyeWide": 0.25, "noseSneer": 0.25, "mouthPress": 0.2,
              "mouthFrown": 0.1},  # 4, 5, 7, 23
    "sad": {"browInnerUp": 0.75, "browDown": 0.15, "mouthFrown": 0.5, "eyeBlink": 0.12},  # 1, 4, 15
    "fearful": {"browInnerUp": 0.7, "browOuterUp": 0.4, "browDown": 0.15, "eyeWide": 0.7,
                "mouthStretch": 0.25},  # 1, 2, 4, 5, 20
    "disgusted": {"noseSneer": 0.8, "browDown": 0.35, "eyeSquint": 0.3, "cheekSquint": 0.25, "mouthFrown": 0.25,
                  "mouthUpperUp": 0.15},  # 9, 10, 15
    "bored": {"eyeBlink": 0.25, "mouthFrown": 0.2, "browOuterUp": 0.15},  # 43, 15
}
PROMINENCE = {"browInnerUp": 0.5, "browOuterUp": 0.35, "eyeWide": 0.12}
# Channels that these targets own; the rest of the mouth belongs to speech.
CHANNELS = sorted({c for pose in [*POSES.values(), PROMINENCE] for c in pose})
COLUMNS = {name: [i for i, c in enumerate(arkit.CHANNELS) if c in (name, f"{name}Left", f"{name}Right")]
           for name in CHANNELS}


def prosody(audio: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loudness in dB, pitch in semitones above the clip's median (0 where unvoiced), speaking 0/1; each (frames,)."""
    hop, window = RATE // FPS, 1024
    padded = np.pad(audio.astype(np.float32), (window // 2, window + frames * hop))
    chunks = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:frames]
    loudness = 10 * np.log10((chunks ** 2).mean(1) + 1e-9)
    tapered = chunks * np.hanning(window).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(tapered, 2 * window)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :window // 2]
    shortest, longest = RATE // 500, RATE // 70
    lags = correlation[:, shortest:longest] / (correlation[:, :1] + 1e-9)
    speaking = loudness > max(np.percentile(loudness, 95) - 32, -60)
    voiced = (lags.max(1) > 0.45) & speaking
    semitones = 12 * np.log2(RATE / (lags.argmax(1) + shortest))
    median = np.median(semitones[voiced]) if voiced.any() else 0.0
    pitch = np.where(voiced & (np.abs(semitones - median) < 14), semitones - median, 0.0)
    return loudness, ndimage.median_filter(pitch, 3), speaking


def follow(signal: np.ndarray, attack: float, release: float) -> np.ndarray:
    """One-pole follower that rises within `attack` and falls within `release` seconds."""
    up, down = 1 - np.exp(-1 / (attack * FPS)), 1 - np.exp(-1 / (release * FPS))
    out, level = np.zeros(len(signal)), 0.0
    for i, x in enumerate(signal):
        level += (up if x > level else down) * (x - level)
        out[i] = level
    return out


def expression(audio: np.ndarray, emotion: str | None, frames: int) -> np.ndarray:
    """(frames, 52) curves of brows, lids, cheeks, nose and mouth corners; the lips' own channels are 0."""
    loudness, pitch, speaking = prosody(audio, frames)
    loud = np.clip((loudness - np.percentile(loudness, 95) + 14) / 14, 0, 1)
    accent = np.clip((pitch - 1.5) / 6, 0, 1) * loud + 0.15 * loud
    prominence = follow(accent * speaking, 0.08, 0.3)
    curves = np.zeros((frames, len(arkit.CHANNELS)), np.float32)
    for name, gain in PROMINENCE.items():
        curves[:, COLUMNS[name]] += (gain * prominence)[:, None]
    arousal = follow(0.5 * loud + 0.5 * np.clip(pitch / 6, 0, 1), 0.15, 0.6)
    intensity = follow(ndimage.maximum_filter1d(speaking.astype(float), FPS // 3), 0.25, 0.6) * (0.7 + 0.45 * arousal)
    for name, weight in POSES.get(emotion or "neutral", {}).items():
        curves[:, COLUMNS[name]] += (weight * intensity)[:, None]
    return curves.clip(0, 1)
