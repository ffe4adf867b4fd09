"""Sound without speech, during which the face must rest: `python -m server.training.speech.non_speech --data DATA`.

Writes DATA/non_speech/*.flac: digital silence, room noise, hum, breaths, clicks and knocks. The backbone normalises the
level, so a quiet room reaches the model as loud as a voice, and the model has to learn the difference.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from scipy import ndimage, signal

from ...files.audio import SAMPLE_RATE
from ...numerics import FloatArray
from .augment import noise

CLIPS, SECONDS, SEED = 80, 12, 1  # number of clips, length of each


def breaths(samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (samples,) of breaths of 0.3-1.5 s with peak 1: noise in a band that swells and fades."""
    sound = np.zeros(samples)
    at = int(rng.uniform(0.2, 1.5) * SAMPLE_RATE)
    while at < samples:
        length = min(int(rng.uniform(0.3, 1.5) * SAMPLE_RATE), samples - at)
        low = rng.uniform(200, 900)
        band = signal.butter(2, (low, low * rng.uniform(3, 7)), "band", fs=SAMPLE_RATE, output="sos")
        sound[at : at + length] += signal.sosfilt(band, rng.standard_normal(length)) * np.hanning(length) ** 1.5
        at += length + int(rng.uniform(0.3, 2.5) * SAMPLE_RATE)
    normalised: FloatArray = sound / (np.abs(sound).max() + 1e-9)
    return normalised


def knocks(samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (samples,) of clicks and knocks with peak 1: decaying resonances at random times."""
    sound = np.zeros(samples)
    times = np.arange(int(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
    for at in rng.integers(0, samples - len(times), rng.integers(2, 12)):
        ring = np.sin(2 * np.pi * rng.uniform(80, 3000) * times) + 0.5 * rng.standard_normal(len(times))
        sound[at : at + len(times)] += rng.uniform(0.2, 1) * ring * np.exp(-times * rng.uniform(20, 200))
    normalised: FloatArray = sound / (np.abs(sound).max() + 1e-9)
    return normalised


def make_clip(number: int) -> FloatArray:
    """Return clip `number`, (N,) float32 at 16 kHz."""
    rng = np.random.default_rng([SEED, number])
    samples = SECONDS * SAMPLE_RATE
    floor = 10 ** (rng.uniform(-75, -30) / 20)
    sound = floor * noise(samples, rng)
    kind = number % 5
    if kind == 0:
        sound = sound * (number % 10 != 0)  # every tenth clip is digital silence
    elif kind in (1, 2):
        sound += 10 ** (rng.uniform(-45, -15) / 20) * breaths(samples, rng)
    elif kind == 3:
        sound += 10 ** (rng.uniform(-35, -8) / 20) * knocks(samples, rng)
    else:  # wind and traffic: slow swells
        swell = ndimage.gaussian_filter1d(rng.standard_normal(samples), SAMPLE_RATE * 0.4)
        sound *= 1 + 3 * np.abs(swell) / np.abs(swell).max()
    clip: FloatArray = np.clip(sound, -1, 1).astype(np.float32)
    return clip


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    folder = args.data / "non_speech"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(CLIPS):
        soundfile.write(folder / f"{number:03}.flac", make_clip(number), SAMPLE_RATE)
    print(f"{folder}: {CLIPS} clips of {SECONDS} s")


if __name__ == "__main__":
    main()
