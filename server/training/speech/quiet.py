"""Sound without speech, for which the face must rest: `python -m server.training.speech.quiet --data DATA`.

Writes DATA/quiet/*.flac: digital silence, room noise, hum, breaths, clicks and knocks. A backbone that normalises
loudness hears a quiet room as loudly as a voice, so the model has to be told that it is none.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from scipy import ndimage, signal

from .augment import RATE, noise

CLIPS, SECONDS, SEED = 80, 12, 1


def breath(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Breaths of 0.3-1.5 s: noise in a band, swelling and fading."""
    sound = np.zeros(samples)
    at = int(rng.uniform(0.2, 1.5) * RATE)
    while at < samples:
        length = min(int(rng.uniform(0.3, 1.5) * RATE), samples - at)
        low = rng.uniform(200, 900)
        band = signal.butter(2, (low, low * rng.uniform(3, 7)), "band", fs=RATE, output="sos")
        sound[at : at + length] += signal.sosfilt(band, rng.standard_normal(length)) * np.hanning(length) ** 1.5
        at += length + int(rng.uniform(0.3, 2.5) * RATE)
    return sound / (np.abs(sound).max() + 1e-9)


def knocks(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Clicks and knocks: decaying resonances at random times."""
    sound = np.zeros(samples)
    times = np.arange(int(0.25 * RATE)) / RATE
    for at in rng.integers(0, samples - len(times), rng.integers(2, 12)):
        ring = np.sin(2 * np.pi * rng.uniform(80, 3000) * times) + 0.5 * rng.standard_normal(len(times))
        sound[at : at + len(times)] += rng.uniform(0.2, 1) * ring * np.exp(-times * rng.uniform(20, 200))
    return sound / (np.abs(sound).max() + 1e-9)


def quiet(number: int) -> np.ndarray:
    """Clip `number`, (N,) at 16 kHz."""
    rng = np.random.default_rng([SEED, number])
    samples = SECONDS * RATE
    floor = 10 ** (rng.uniform(-75, -30) / 20)
    sound = floor * noise(samples, rng)
    kind = number % 5
    if kind == 0:
        sound = sound * (number % 10 != 0)  # every tenth clip is digital silence
    elif kind in (1, 2):
        sound += 10 ** (rng.uniform(-45, -15) / 20) * breath(samples, rng)
    elif kind == 3:
        sound += 10 ** (rng.uniform(-35, -8) / 20) * knocks(samples, rng)
    else:  # wind and traffic: slow swells
        swell = ndimage.gaussian_filter1d(rng.standard_normal(samples), RATE * 0.4)
        sound *= 1 + 3 * np.abs(swell) / np.abs(swell).max()
    return np.clip(sound, -1, 1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    folder = args.data / "quiet"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(CLIPS):
        soundfile.write(folder / f"{number:03}.flac", quiet(number), RATE)
    print(f"{folder}: {CLIPS} clips of {SECONDS} s")


if __name__ == "__main__":
    main()
