"""Prosody of speech: loudness, pitch, accents and pauses.

Loudness and pitch are measured in windows with common centres, one every HOP_LENGTH samples (see `centres`), so that
value i of both belongs to the same moment.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files.audio import SAMPLE_RATE
from ..files.spool import release
from ..numerics import FloatArray
from ..protocol.phrases import LOUD_PERCENTILE, WINDOWS, pauses

HOP_LENGTH = round(SAMPLE_RATE / WINDOWS)  # samples from one window to the next, and the length of a window of loudness
PITCH_WINDOW = 1024  # samples; 64 ms hold more than four periods of the lowest pitch
PITCH_PADDING = (PITCH_WINDOW - HOP_LENGTH) // 2  # samples by which a window of pitch begins before that of loudness
MIN_PITCH, MAX_PITCH = 70, 500  # Hz
MIN_LAG, MAX_LAG = SAMPLE_RATE // MAX_PITCH, SAMPLE_RATE // MIN_PITCH  # samples of one period
VOICING_THRESHOLD = 0.45  # least autocorrelation of a voiced window at its pitch period, relative to lag 0
MAX_PITCH_DEVIATION = 14  # semitones from the voice's median; more is an octave error
BLOCK = 1500  # windows analysed at a time, 30 s, so that hours of speech need little memory and stop at once

ACCENT_RANGE = 15  # decibels below the loud parts; quieter syllables have no prominence
ACCENT_PITCH_RANGE = 8  # semitones above the median of full prominence
MIN_ACCENT_PITCH = -0.5  # lower limit of pitch / ACCENT_PITCH_RANGE: a low voice weakens an accent only so far
LOUDNESS_WEIGHT, PITCH_WEIGHT = 0.65, 0.35  # of an accent: loudness marks it more reliably (Kochanski et al. 2005)
MIN_ACCENT_HEIGHT, MIN_ACCENT_PROMINENCE = 0.3, 0.12  # of a maximum, see scipy.signal.find_peaks
MIN_ACCENT_DISTANCE = 0.35  # seconds, about two syllables
SYLLABLE_WINDOW = 9  # hops of the Hann window that smooths over a syllable: 140 ms without its zeros
PITCH_MEDIAN = 5  # hops of the median filter of pitch, 100 ms: it removes single octave errors


class Accents(NamedTuple):
    """Stressed syllables of a line."""

    seconds: FloatArray  # (n,)
    strength: FloatArray  # (n,) 0 to 1


class Voice(NamedTuple):
    """What is measured of a line: loudness and pitch at the same n moments, see `centres`."""

    level: FloatArray  # (n,) decibels
    pitch: FloatArray  # (n,) semitones above the voice's median, 0 where nothing is voiced
    seconds: float  # duration of the line
    checksum: int  # CRC-32 of its samples: lines with different sound differ in it


def measure(audio: FloatArray, report: Callable[[float], None] = lambda fraction: None) -> Voice:
    """Measure a line.

    Args:
        audio: (N,) speech at 16 kHz.
        report: Called with the fraction done before each block of it, some minutes of speech; it may raise an exception
            to stop.

    Returns:
        Loudness and pitch, n = N // HOP_LENGTH values each.
    """
    checksum, levels = 0, []
    for start in range(0, len(audio), BLOCK * HOP_LENGTH):
        block = np.ascontiguousarray(audio[start : start + BLOCK * HOP_LENGTH])
        checksum = zlib.crc32(block.data, checksum)
        levels.append(loudness(block))
        release(audio)
    level = np.concatenate(levels) if levels else np.zeros(0, np.float32)
    return Voice(level, pitch(audio, report), len(audio) / SAMPLE_RATE, checksum)


def centres(count: int) -> FloatArray:
    """Return the times (count,) in seconds at which the windows of loudness and pitch are centred."""
    return (np.arange(count) + 0.5) * HOP_LENGTH / SAMPLE_RATE


def at_frames(values: FloatArray, frames: int, fps: float, delay: float = 0.0) -> NDArray[np.float64]:
    """Interpolate values of loudness or pitch at the frames of an animation.

    Args:
        values: (n,) values at `centres(n)`.
        frames: Number of frames; frame i lies at i / fps seconds.
        fps: Frames per second.
        delay: Seconds by which the result follows the values.

    Returns:
        (frames,) values; the first and the last value hold outside of the sound.
    """
    return np.interp(np.arange(frames) / fps - delay, centres(len(values)), values)


def loudness(audio: FloatArray) -> FloatArray:
    """Return the level (n,) in decibels of speech (N,) at 16 kHz: the mean power of windows of HOP_LENGTH samples."""
    count = len(audio) // HOP_LENGTH
    power = np.square(audio[: count * HOP_LENGTH], dtype=np.float32).reshape(count, HOP_LENGTH).mean(1)
    level: FloatArray = 10 * np.log10(power + 1e-10)
    return level


def relative_loudness(level: FloatArray, decibels: float) -> FloatArray:
    """Scale the level of a voice by its own loud parts.

    Args:
        level: (n,) decibels, see `loudness`.
        decibels: Range below the loud parts that counts.

    Returns:
        (n,) 0 to 1: 1 in the loud parts, 0 from `decibels` below them on.
    """
    return np.clip((level - np.percentile(level, LOUD_PERCENTILE)) / decibels + 1, 0, 1)


def pitch(audio: FloatArray, report: Callable[[float], None] = lambda fraction: None) -> NDArray[np.float64]:
    """Estimate the pitch by the maximum of the autocorrelation of Hann windows.

    Args:
        audio: (N,) speech at 16 kHz.
        report: As of `measure`.

    Returns:
        (n,) semitones above the voice's median, n = N // HOP_LENGTH; 0 where nothing is voiced.
    """
    count = len(audio) // HOP_LENGTH
    semitones, voiced = np.zeros(count), np.zeros(count, bool)
    for start in range(0, count, BLOCK):
        report(start / count)
        end = min(start + BLOCK, count)
        first, last = start * HOP_LENGTH - PITCH_PADDING, (end - 1) * HOP_LENGTH - PITCH_PADDING + PITCH_WINDOW
        samples = audio[max(first, 0) : last].astype(np.float32)
        padded = np.pad(samples, (max(-first, 0), last - max(first, 0) - len(samples)))  # silence outside of the line
        windows = np.lib.stride_tricks.sliding_window_view(padded, PITCH_WINDOW)[::HOP_LENGTH]
        semitones[start:end], voiced[start:end] = _pitch_of_windows(windows)
        release(audio)
    if not voiced.any():
        return np.zeros(count)
    semitones -= np.median(semitones[voiced])
    return np.where(voiced & (np.abs(semitones) < MAX_PITCH_DEVIATION), semitones, 0.0)


def _pitch_of_windows(windows: NDArray[np.float32]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return semitones (n,) above 1 Hz of windows (n, PITCH_WINDOW), and which of them are voiced (n,)."""
    from scipy.fft import irfft, rfft  # in single precision, which NumPy has from 2.0 on: a third of the time

    taper = np.hanning(PITCH_WINDOW).astype(np.float32)
    spectrum = rfft(windows * taper, 2 * PITCH_WINDOW)
    correlation = irfft(spectrum.real**2 + spectrum.imag**2)[:, :MAX_LAG]
    lags = correlation[:, MIN_LAG:] / (correlation[:, :1] + 1e-9)
    return 12 * np.log2(SAMPLE_RATE / (lags.argmax(1) + MIN_LAG)), lags.max(1) > VOICING_THRESHOLD


def median_filtered(pitch: FloatArray) -> FloatArray:
    """Return pitch (n,) without single outliers: the median of PITCH_MEDIAN neighbouring values."""
    from scipy.ndimage import median_filter

    filtered: FloatArray = median_filter(pitch, PITCH_MEDIAN)
    return filtered


def prominence(voice: Voice) -> FloatArray:
    """Return how prominent each moment (n,) of a line is, by its loudness and pitch over a syllable, 0 to about 1.

    Nothing is prominent in a sound that is shorter than 0.1 s.
    """
    level = voice.level
    if len(level) < PITCH_MEDIAN:
        return np.zeros(len(level))
    height = np.clip(median_filtered(voice.pitch) / ACCENT_PITCH_RANGE, MIN_ACCENT_PITCH, 1)
    stress = relative_loudness(level, ACCENT_RANGE) * (LOUDNESS_WEIGHT + PITCH_WEIGHT * height)
    hann = np.hanning(SYLLABLE_WINDOW)[1:-1]
    smooth: FloatArray = np.convolve(stress, hann / hann.sum(), "same")
    return smooth[: len(level)]


def accents(voice: Voice) -> Accents:
    """Find the stressed syllables of a line: local maxima of its prominence.

    Returns:
        Time and strength of each accent; none if the sound is shorter than 0.1 s.
    """
    from scipy.signal import find_peaks

    height = prominence(voice)
    if not len(height):
        return Accents(np.zeros(0), np.zeros(0))
    distance = round(MIN_ACCENT_DISTANCE * SAMPLE_RATE / HOP_LENGTH)
    peaks, properties = find_peaks(
        height, height=MIN_ACCENT_HEIGHT, prominence=MIN_ACCENT_PROMINENCE, distance=distance
    )
    return Accents(centres(len(height))[peaks], np.clip(properties["peak_heights"], 0, 1))


def phrase_ends(level: FloatArray) -> FloatArray:
    """Return the times (m,) in seconds at which a phrase ends and a pause begins, by the level (n,) of the line."""
    starts, _ = pauses(level)
    return starts[starts > 0]
