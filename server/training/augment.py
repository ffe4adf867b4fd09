"""What a voice goes through before a microphone's file reaches the artist: other vocal tracts, rooms, noise, filters.

Everything is on 16 kHz mono float32 and drawn from a numpy Generator, so a seed makes the same corpus again.
"""

import numpy as np
from scipy import signal

RATE = 16000


def speed(audio: np.ndarray, factor: float) -> np.ndarray:
    """Play `factor` times as fast: tempo, pitch and formants move together, like a smaller or larger speaker.

    Curves must be stretched with it: what was at t seconds is then at t / factor.
    """
    percent = round(100 * factor)
    return signal.resample_poly(audio, 100, percent).astype(np.float32)


def room(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A room of 0.15-0.6 s reverberation: the direct sound and a tail of decaying noise, 3-15 dB below it."""
    seconds = rng.uniform(0.15, 0.6)
    tail = rng.standard_normal(int(seconds * RATE)) * 10 ** (-3 * np.linspace(0, 1, int(seconds * RATE)))
    tail[:int(rng.uniform(0.002, 0.02) * RATE)] = 0
    tail *= 10 ** (-rng.uniform(3, 15) / 20) / np.sqrt((tail ** 2).sum())
    tail[0] = 1
    return signal.fftconvolve(audio, tail)[:len(audio)]


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


def degrade(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random chain of room, response, phone band, noise (8-35 dB below the speech) and gain."""
    if rng.random() < 0.4:
        audio = room(audio, rng)
    if rng.random() < 0.6:
        audio = equalise(audio, rng)
    if rng.random() < 0.15:
        audio = phone_band(audio)
    level = np.sqrt(np.mean(audio ** 2)) + 1e-5
    if rng.random() < 0.7:
        audio = audio + noise(len(audio), rng) * level * 10 ** (-rng.uniform(8, 35) / 20)
    gain = 10 ** (rng.uniform(-18, 6) / 20)
    return np.clip(audio * gain * 0.9 / max(0.9, np.abs(audio).max()), -1, 1).astype(np.float32)
