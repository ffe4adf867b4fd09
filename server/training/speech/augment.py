"""What a voice goes through before a microphone's file reaches the artist: other vocal tracts, rooms, noise, filters.

Everything is on 16 kHz mono float32 and drawn from a numpy Generator, so a seed makes the same corpus again.
`other_voice` alone needs the package `pyworld` (WORLD, a vocoder).
"""

import io

import numpy as np
import soundfile
from scipy import ndimage, signal

RATE = 16000


def speed(audio: np.ndarray, factor: float) -> np.ndarray:
    """Play `factor` times as fast: tempo, pitch and formants move together, like a smaller or larger speaker.

    Curves must be stretched with it: what was at t seconds is then at t / factor.
    """
    percent = round(100 * factor)
    return signal.resample_poly(audio, 100, percent).astype(np.float32)


def other_voice(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same words at the same times in another voice and mood: pitch, how much it moves, the length of the vocal
    tract, loud against quiet, breath; one in twenty whispers.
    """
    import pyworld

    sound = audio.astype(np.float64)
    pitch, times = pyworld.dio(sound, RATE)
    pitch = pyworld.stonemask(sound, pitch, times, RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, RATE)
    breath = pyworld.d4c(sound, pitch, times, RATE)
    voiced = pitch > 0
    if voiced.any():
        middle = np.median(pitch[voiced])
        pitch[voiced] = middle * (pitch[voiced] / middle) ** (2 ** rng.uniform(-1, 1)) * 2 ** rng.uniform(-0.6, 0.8)
        pitch[voiced] = np.clip(pitch[voiced], 55, 700)
        level = ndimage.gaussian_filter1d(envelope.sum(1), 10)
        level = np.clip(level / np.median(level[voiced]), 1e-3, 10)
        envelope = envelope * (level ** rng.uniform(-0.25, 0.5))[:, None]
    bins = np.arange(envelope.shape[1])
    warped = np.minimum(bins / 2 ** rng.uniform(-0.25, 0.25), bins[-1])
    low = np.minimum(warped.astype(int), bins[-1] - 1)
    envelope = np.exp((1 - warped + low) * np.log(envelope[:, low]) + (warped - low) * np.log(envelope[:, low + 1]))
    breath = breath + (1 - breath) * max(0.0, rng.uniform(-0.5, 0.6))
    if rng.random() < 0.05:
        pitch[:], breath[:] = 0, 1
    said = pyworld.synthesize(pitch, np.ascontiguousarray(envelope), breath, RATE)[: len(audio)]
    said *= np.sqrt(np.mean(sound**2) / (np.mean(said**2) + 1e-12))
    return np.clip(said, -1, 1).astype(np.float32)


def room(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room of 0.15-0.6 s reverberation: the direct sound and a tail of decaying noise, 3-15 dB below it."""
    seconds = rng.uniform(0.15, 0.6)
    tail = rng.standard_normal(int(seconds * RATE)) * 10 ** (-3 * np.linspace(0, 1, int(seconds * RATE)))
    tail[: int(rng.uniform(0.002, 0.02) * RATE)] = 0
    tail *= 10 ** (-rng.uniform(3, 15) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return signal.fftconvolve(audio, tail)[: len(audio)]


def equalise(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random smooth response within ±10 dB."""
    bands = np.array([0, 150, 400, 1000, 2500, 5000, 8000])
    gains = 10 ** (rng.uniform(-10, 10, len(bands)) / 20)
    return signal.fftconvolve(audio, signal.firwin2(257, bands, gains, fs=RATE), "same")


def phone_band(audio: np.ndarray) -> np.ndarray:
    return signal.sosfilt(signal.butter(4, (300, 3400), "band", fs=RATE, output="sos"), audio)


def noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Unit-variance noise with a spectral slope between white and brown, sometimes with a hum or a swell."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    slope = rng.uniform(0, 1)
    spectrum *= np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 30) ** -slope
    sound = np.fft.irfft(spectrum, samples)
    if rng.random() < 0.3:
        t = np.arange(samples) / RATE
        sound *= 1 + 0.8 * np.sin(2 * np.pi * (rng.uniform(0.2, 2) * t + rng.random()))
    if rng.random() < 0.3:
        base = rng.uniform(50, 400)
        t = np.arange(samples) / RATE
        sound += sound.std() * sum(np.sin(2 * np.pi * base * k * t) / k for k in range(1, 6))
    return sound / sound.std()


def below(audio: np.ndarray, sound: np.ndarray, decibels: float) -> np.ndarray:
    """A sound (M,) of unit variance, made so many decibels quieter than the audio (N,)."""
    return np.sqrt(np.mean(audio**2)) * 10 ** (-decibels / 20) * sound


def quiet(audio: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """What is heard while nobody speaks: noise 35-60 dB below `audio`."""
    decibels = rng.uniform(35, 60)
    return below(audio, noise(samples, rng), decibels).astype(np.float32)


def music(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Unit-variance music: chords of plucked strings on a beat, with a bass and a noisy drum."""
    beat = int(rng.uniform(0.25, 0.6) * RATE)
    t = np.arange(2 * beat) / RATE
    sound, root = np.zeros(samples + 2 * beat), 110 * 2 ** rng.uniform(0, 1)
    for number, at in enumerate(range(0, samples, beat)):
        step = int(rng.choice([0, 2, 4, 5, 7, 9]))
        for interval in (-12, 0, int(rng.choice([3, 4])), 7):
            pitch = root * 2 ** ((step + interval) / 12)
            ring = sum(np.sin(2 * np.pi * k * pitch * t + rng.uniform(0, 6)) / k for k in range(1, 6))
            sound[at : at + 2 * beat] += ring * np.exp(-t * rng.uniform(2, 6))
        if number % 2:
            sound[at : at + 2 * beat] += rng.standard_normal(2 * beat) * np.exp(-t * 40)
    return sound[:samples] / sound[:samples].std()


def codec(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is left after a lossy file: Vorbis at its lowest quality, or eight-bit µ-law. Neither delays the sound."""
    kind, subtype = ("OGG", "VORBIS") if rng.random() < 0.6 else ("WAV", "ULAW")
    file = io.BytesIO()
    soundfile.write(file, np.clip(audio, -1, 1), RATE, format=kind, subtype=subtype)
    file.seek(0)
    decoded = soundfile.read(file, dtype="float32")[0][: len(audio)]
    return np.pad(decoded, (0, len(audio) - len(decoded)))


def degrade(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random chain of room, response, phone band, noise (8-35 dB below the speech), music, codec and gain."""
    if rng.random() < 0.4:
        audio = room(audio, rng)
    if rng.random() < 0.6:
        audio = equalise(audio, rng)
    if rng.random() < 0.15:
        audio = phone_band(audio)
    level = np.sqrt(np.mean(audio**2)) + 1e-5
    if rng.random() < 0.7:
        audio = audio + noise(len(audio), rng) * level * 10 ** (-rng.uniform(8, 35) / 20)
    if rng.random() < 0.15:
        audio = audio + music(len(audio), rng) * level * 10 ** (-rng.uniform(12, 30) / 20)
    if rng.random() < 0.2:
        audio = codec(audio, rng)
    gain = 10 ** (rng.uniform(-18, 6) / 20)
    return np.clip(audio * gain * 0.9 / max(0.9, np.abs(audio).max()), -1, 1).astype(np.float32)
