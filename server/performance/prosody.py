"""Prosody: how loud and how high a voice is, which syllables it stresses, where its phrases end."""

from typing import NamedTuple

import numpy as np

from ..files.audio import SAMPLE_RATE

HOP = SAMPLE_RATE // 50  # samples from one value to the next, as everywhere in this file
WINDOW = 1024  # samples in which the pitch is looked for
LOWEST, HIGHEST = 70, 500  # Hz
VOICED = 0.45  # autocorrelation at the pitch's lag, of that at lag 0
PAUSE, QUIET = 0.2, 30.0  # a pause: this many seconds, this many decibels below the loud parts
BETWEEN_ACCENTS = 0.35  # seconds, about two syllables
BLOCK = 3000  # values worked out at a time, so that hours of speech stay small in memory


class Accents(NamedTuple):
    seconds: np.ndarray  # (n,)
    strength: np.ndarray  # (n,) 0 to 1


class Voice(NamedTuple):
    level: np.ndarray  # (n,) decibels
    pitch: np.ndarray  # (n,) semitones above the voice's median, 0 where nothing is voiced


def measure(audio: np.ndarray) -> Voice:
    """Loudness and pitch of speech (N,) at 16 kHz, one value every HOP samples."""
    return Voice(loudness(audio), pitch(audio))


def loudness(audio: np.ndarray) -> np.ndarray:
    """Decibels (n,), one value every HOP samples of speech (N,) at 16 kHz."""
    count = len(audio) // HOP
    power = np.square(audio[: count * HOP], dtype=np.float32).reshape(count, HOP).mean(1)
    return 10 * np.log10(power + 1e-10)


def loud(level: np.ndarray, decibels: float) -> np.ndarray:
    """How loud a voice is, 0 to 1 (n,), from its level (n,): 1 in its loud parts, 0 so many `decibels` below them."""
    return np.clip((level - np.percentile(level, 95)) / decibels + 1, 0, 1)


def at_frames(values: np.ndarray, frames: int, fps: float, later: float = 0.0) -> np.ndarray:
    """Values of this file, one every HOP samples, at i / fps seconds (F,), or what they were `later` seconds before."""
    return np.interp(np.arange(frames) / fps - later, np.arange(len(values)) * HOP / SAMPLE_RATE, values)


def pitch(audio: np.ndarray) -> np.ndarray:
    """Semitones above the voice's median (n,), 0 where nothing is voiced; one value every HOP samples."""
    count = len(audio) // HOP
    padded = np.pad(audio.astype(np.float32), (0, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    taper = np.hanning(WINDOW).astype(np.float32)
    shortest, longest = SAMPLE_RATE // HIGHEST, SAMPLE_RATE // LOWEST
    semitones, voiced = np.zeros(count), np.zeros(count, bool)
    for start in range(0, count, BLOCK):
        spectrum = np.fft.rfft(windows[start : start + BLOCK] * taper, 2 * WINDOW)
        correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[:, :longest]
        lags = correlation[:, shortest:] / (correlation[:, :1] + 1e-9)
        semitones[start : start + BLOCK] = 12 * np.log2(SAMPLE_RATE / (lags.argmax(1) + shortest))
        voiced[start : start + BLOCK] = lags.max(1) > VOICED
    if not voiced.any():
        return np.zeros(count)
    semitones -= np.median(semitones[voiced])
    return np.where(voiced & (np.abs(semitones) < 14), semitones, 0.0)


def accents(audio: np.ndarray) -> Accents:
    """The stressed syllables of speech (N,) at 16 kHz: where it is louder and higher than around.

    Both mark an accent, loudness the more reliably (Kochanski et al. 2005).
    """
    from scipy.ndimage import median_filter
    from scipy.signal import find_peaks

    level = loudness(audio)
    if len(level) < 5:
        return Accents(np.zeros(0), np.zeros(0))
    high = np.clip(median_filter(pitch(audio), 5) / 8, -0.5, 1)
    hann = np.hanning(9)[1:-1]  # 140 ms: a syllable
    prominence = np.convolve(loud(level, 15) * (0.65 + 0.35 * high), hann / hann.sum(), "same")
    peaks, found = find_peaks(prominence, height=0.3, prominence=0.12, distance=round(BETWEEN_ACCENTS * SAMPLE_RATE / HOP))
    return Accents((peaks + 0.5) * HOP / SAMPLE_RATE, np.clip(found["peak_heights"], 0, 1))


def pauses(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Seconds at which the pauses in speech (N,) at 16 kHz begin and end, (n,) each; one may be open at either side."""
    level = loudness(audio)
    if not len(level):
        return np.zeros(0), np.zeros(0)
    quiet = level < np.percentile(level, 95) - QUIET
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8))) * HOP / SAMPLE_RATE
    starts, stops = edges[::2], edges[1::2]
    long = stops - starts >= PAUSE
    return starts[long], stops[long]


def phrase_ends(audio: np.ndarray) -> np.ndarray:
    """Seconds (n,) at which a phrase has just ended in speech (N,) at 16 kHz."""
    starts, _ = pauses(audio)
    return starts[starts > 0]
