"""Augmentation of speech: other vocal tracts, rooms, noise, music, filters and codecs.

All sounds are mono at 16 kHz, shape (N,). Everything random is drawn from a numpy Generator, so that a seed reproduces
a corpus. Only `convert_voice` needs the package `pyworld` (WORLD, a vocoder: Morise et al. 2016).
"""

import io

import numpy as np
import soundfile
from scipy import ndimage, signal

from ...files.audio import SAMPLE_RATE
from ...numerics import FloatArray


def change_speed(audio: FloatArray, factor: float) -> FloatArray:
    """Play a sound `factor` times as fast: tempo, pitch and formants change together.

    Curves must be resampled accordingly: an event at t seconds moves to t / factor.

    Args:
        audio: (N,) sound.
        factor: Factor of the speed, rounded to hundredths.

    Returns:
        (N / factor,) float32.
    """
    percent = round(100 * factor)
    return signal.resample_poly(audio, 100, percent).astype(np.float32)


def convert_voice(audio: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Resynthesise speech in another voice; the times of the phones do not change.

    Pitch, its range, the length of the vocal tract, the dynamic range and the breathiness are drawn at random. One
    voice in twenty whispers.

    Args:
        audio: (N,) speech.
        rng: Source of the random draws.

    Returns:
        (N,) float32 with the power of `audio`.
    """
    import pyworld

    sound = audio.astype(np.float64)
    pitch, times = pyworld.dio(sound, SAMPLE_RATE)
    pitch = pyworld.stonemask(sound, pitch, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(sound, pitch, times, SAMPLE_RATE)
    voiced = pitch > 0
    if voiced.any():
        median = np.median(pitch[voiced])
        pitch[voiced] = median * (pitch[voiced] / median) ** (2 ** rng.uniform(-1, 1)) * 2 ** rng.uniform(-0.6, 0.8)
        pitch[voiced] = np.clip(pitch[voiced], 55, 700)
        level = ndimage.gaussian_filter1d(envelope.sum(1), 10)
        level = np.clip(level / np.median(level[voiced]), 1e-3, 10)
        envelope = envelope * (level ** rng.uniform(-0.25, 0.5))[:, None]
    bins = np.arange(envelope.shape[1])
    warped = np.minimum(bins / 2 ** rng.uniform(-0.25, 0.25), bins[-1])
    low = np.minimum(warped.astype(int), bins[-1] - 1)
    envelope = np.exp((1 - warped + low) * np.log(envelope[:, low]) + (warped - low) * np.log(envelope[:, low + 1]))
    aperiodicity = aperiodicity + (1 - aperiodicity) * max(0.0, rng.uniform(-0.5, 0.6))
    if rng.random() < 0.05:
        pitch[:], aperiodicity[:] = 0, 1
    converted: FloatArray = pyworld.synthesize(pitch, np.ascontiguousarray(envelope), aperiodicity, SAMPLE_RATE)
    converted = converted[: len(audio)]
    converted *= np.sqrt(np.mean(sound**2) / (np.mean(converted**2) + 1e-12))
    return np.clip(converted, -1, 1).astype(np.float32)


def reverberate(audio: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add a room with 0.15-0.6 s of reverberation: a tail of decaying noise, 3-15 dB below the direct sound."""
    seconds = rng.uniform(0.15, 0.6)
    tail = rng.standard_normal(int(seconds * SAMPLE_RATE)) * 10 ** (-3 * np.linspace(0, 1, int(seconds * SAMPLE_RATE)))
    tail[: int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)] = 0
    tail *= 10 ** (-rng.uniform(3, 15) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return signal.fftconvolve(audio, tail)[: len(audio)]


def equalise(audio: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Filter a sound with a random smooth frequency response within ±10 dB."""
    bands = np.array([0, 150, 400, 1000, 2500, 5000, 8000])
    gains = 10 ** (rng.uniform(-10, 10, len(bands)) / 20)
    return signal.fftconvolve(audio, signal.firwin2(257, bands, gains, fs=SAMPLE_RATE), "same")


def telephone_band(audio: FloatArray) -> FloatArray:
    """Filter a sound to 300-3400 Hz."""
    return signal.sosfilt(signal.butter(4, (300, 3400), "band", fs=SAMPLE_RATE, output="sos"), audio)


def noise(samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (samples,) of noise with unit variance, between white and brown, sometimes with a hum or a swell."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    slope = rng.uniform(0, 1)
    spectrum *= np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 30) ** -slope
    sound = np.fft.irfft(spectrum, samples)
    if rng.random() < 0.3:
        t = np.arange(samples) / SAMPLE_RATE
        sound *= 1 + 0.8 * np.sin(2 * np.pi * (rng.uniform(0.2, 2) * t + rng.random()))
    if rng.random() < 0.3:
        base = rng.uniform(50, 400)
        t = np.arange(samples) / SAMPLE_RATE
        sound += sound.std() * sum(np.sin(2 * np.pi * base * k * t) / k for k in range(1, 6))
    normalised: FloatArray = sound / sound.std()
    return normalised


def scale_below(audio: FloatArray, sound: FloatArray, decibels: float) -> FloatArray:
    """Return a sound (M,) of unit variance, scaled to a level `decibels` below that of the audio (N,)."""
    scaled: FloatArray = np.sqrt(np.mean(audio**2)) * 10 ** (-decibels / 20) * sound
    return scaled


def background_noise(audio: FloatArray, samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (samples,) float32 of noise 35-60 dB below `audio`, as in a pause of the speaker."""
    decibels = rng.uniform(35, 60)
    return scale_below(audio, noise(samples, rng), decibels).astype(np.float32)


def music(samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (samples,) of music with unit variance: chords of plucked strings on a beat, a bass and a noisy drum."""
    beat = int(rng.uniform(0.25, 0.6) * SAMPLE_RATE)
    t = np.arange(2 * beat) / SAMPLE_RATE
    sound, root = np.zeros(samples + 2 * beat), 110 * 2 ** rng.uniform(0, 1)
    for number, at in enumerate(range(0, samples, beat)):
        step = int(rng.choice([0, 2, 4, 5, 7, 9]))
        for interval in (-12, 0, int(rng.choice([3, 4])), 7):
            pitch = root * 2 ** ((step + interval) / 12)
            ring = sum(np.sin(2 * np.pi * k * pitch * t + rng.uniform(0, 6)) / k for k in range(1, 6))
            sound[at : at + 2 * beat] += ring * np.exp(-t * rng.uniform(2, 6))
        if number % 2:
            sound[at : at + 2 * beat] += rng.standard_normal(2 * beat) * np.exp(-t * 40)
    normalised: FloatArray = sound[:samples] / sound[:samples].std()
    return normalised


def codec(audio: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Encode and decode a sound with Vorbis at its lowest quality or eight-bit µ-law. Neither delays the sound."""
    kind, subtype = ("OGG", "VORBIS") if rng.random() < 0.6 else ("WAV", "ULAW")
    file = io.BytesIO()
    soundfile.write(file, np.clip(audio, -1, 1), SAMPLE_RATE, format=kind, subtype=subtype)
    file.seek(0)
    decoded = soundfile.read(file, dtype="float32")[0][: len(audio)]
    return np.pad(decoded, (0, len(audio) - len(decoded)))


def degrade(audio: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Apply a random chain of reverberation, filter, telephone band, noise, music, codec and gain.

    Noise is 8-35 dB below the speech, music 12-30 dB.

    Args:
        audio: (N,) speech.
        rng: Source of the random draws.

    Returns:
        (N,) float32, -1 to 1.
    """
    if rng.random() < 0.4:
        audio = reverberate(audio, rng)
    if rng.random() < 0.6:
        audio = equalise(audio, rng)
    if rng.random() < 0.15:
        audio = telephone_band(audio)
    level = np.sqrt(np.mean(audio**2)) + 1e-5
    if rng.random() < 0.7:
        audio = audio + noise(len(audio), rng) * level * 10 ** (-rng.uniform(8, 35) / 20)
    if rng.random() < 0.15:
        audio = audio + music(len(audio), rng) * level * 10 ** (-rng.uniform(12, 30) / 20)
    if rng.random() < 0.2:
        audio = codec(audio, rng)
    gain = 10 ** (rng.uniform(-18, 6) / 20)
    degraded: FloatArray = np.clip(audio * gain * 0.9 / max(0.9, np.abs(audio).max()), -1, 1).astype(np.float32)
    return degraded
