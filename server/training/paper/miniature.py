"""Writes a miniature of 3DMEAD: generated clips in exactly its layout, whose mouths follow the sound.

    python -m server.training.paper.miniature FOLDER [--subjects SUBJECT …] [--clips N] [--layout one|two|nested]
        [--seconds SHORTEST LONGEST]

It is there to prove the path, not to train a model for use. A clip is a row of syllables. Opening and roundness of the
mouth over time make both the sound, a pulse train through two formants, and the motion. A person's shape sets how far
the mouth opens and which coefficients round it; the emotion sets pitch and loudness of the voice, and an expression
that each person shows in another strength. So whoever hears the sound and sees the face can predict the motion.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import LSFError
from ...files.audio import SAMPLE_RATE
from ...numerics import FloatArray
from .. import FPS
from .mead3d import COLUMNS, EXPRESSION, JAW, SHAPE, SPLIT_OF, SUBJECTS
from .named import writing_named

LAYOUTS = "one", "two", "nested"
DEFAULT_SUBJECTS = (*SUBJECTS["train"][:2], SUBJECTS["valid"][0], SUBJECTS["test"][0])
EMOTIONS = 8
# Vowels as opening and roundness of the mouth, both 0 … 1.
VOWELS = {"a": (1.0, 0.2), "e": (0.6, 0.0), "i": (0.25, 0.0), "o": (0.6, 0.9), "u": (0.25, 1.0)}
STEP = SAMPLE_RATE // 200  # samples between changes of the voice, 5 ms
SECONDS = 1.2, 2.6  # shortest and longest clip, unless others are asked for
SHORTEST, LONGEST = 0.5, 300.0  # seconds: room for a syllable; what the encoders take at once
SWAY_HERTZ = 0.4  # of the slow movement of an expression
JAW_RADIANS = 0.3  # of the widest opening, for a person of gain 1
# Coefficients of the expression by what they do. The rest of the first 50 stays near 0.
ROUND, BROW, MOOD = slice(0, 10), slice(10, 20), slice(20, 30)
NOISE = 0.01  # of the motion, as of a tracker


@dataclass(frozen=True)
class Person:
    """What is particular to a subject.

    Attributes:
        shape: (300,) FLAME shape coefficients.
        opening: Gain of the jaw, about 0.7 … 1.3, from the first coefficient.
        liveliness: Gain of the emotions' expression, about 0.5 … 1.5, from the second coefficient.
        rounding: (10,) coefficients that round the mouth.
        pitch: Pitch of the calm voice in Hz.
    """

    shape: FloatArray
    opening: float
    liveliness: float
    rounding: FloatArray
    pitch: float


def person(subject: str) -> Person:
    """Return the person of a name; it depends on the name alone."""
    rng = np.random.default_rng([ord(letter) for letter in subject])
    shape = rng.standard_normal(SHAPE.stop)
    common = np.sin(1.0 + np.arange(10))
    return Person(
        shape=shape,
        opening=1 + 0.3 * float(np.tanh(shape[0])),
        liveliness=1 + 0.5 * float(np.tanh(shape[1])),
        rounding=common + 0.4 * shape[2:12],
        pitch=(190.0 if subject.startswith("W") else 115.0) * float(rng.uniform(0.9, 1.1)),
    )


def articulation(rng: np.random.Generator, seconds: float) -> tuple[FloatArray, FloatArray]:
    """Return opening and roundness of the mouth, each (n,), every 5 ms, 0 … 1, closed at both ends."""
    count = round(seconds * SAMPLE_RATE / STEP)
    opening, roundness = np.zeros(count), np.zeros(count)
    at = round(0.1 * SAMPLE_RATE / STEP)
    vowels = list(VOWELS.values())
    while at < count - 40:
        length = int(rng.integers(24, 44))  # 120 … 220 ms
        wide, rounded = vowels[rng.integers(len(vowels))]
        opening[at : at + length] = wide
        roundness[at : at + length] = rounded
        at += length + int(rng.integers(8, 20))  # closed for 40 … 100 ms
        if rng.random() < 0.15:
            at += 40  # a pause
    opening[count - 10 :] = 0
    bell = np.hanning(23)[1:-1]  # 100 ms: lips and jaw are slow
    bell /= bell.sum()
    return np.convolve(opening, bell, "same"), np.convolve(roundness, bell, "same")


def voice(
    opening: FloatArray,
    roundness: FloatArray,
    pitch: float,
    loudness: float,
    timbre: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the sound (n · STEP,) of a mouth that moves so.

    Args:
        opening: (n,) every 5 ms, 0 … 1. It opens the first formant, and a closed mouth is silent.
        roundness: (n,), 0 … 1. It lowers the second formant.
        pitch: Mean pitch in Hz.
        loudness: Peak amplitude, below 1.
        timbre: The third formant in Hz.
        rng: Draws breath and melody.
    """
    from scipy.signal import lfilter

    samples = len(opening) * STEP
    melody = 1 + 0.08 * np.sin(2 * np.pi * (rng.random() + np.arange(samples) / SAMPLE_RATE * 1.3))
    phase = np.cumsum(pitch * melody) / SAMPLE_RATE
    source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(samples)
    first, second = 300 + 500 * opening, 2100 - 1300 * roundness  # formants in Hz
    sound: FloatArray = source
    for formants, width in ((first, 90.0), (second, 140.0), (np.full_like(first, timbre), 400.0)):
        radius, state, pieces = np.exp(-np.pi * width / SAMPLE_RATE), np.zeros(2), []
        for number, frequency in enumerate(formants):
            poles = [1.0, -2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE), radius**2]
            piece, state = lfilter([sum(poles)], poles, sound[number * STEP : (number + 1) * STEP], zi=state)
            pieces.append(piece)
        sound = np.concatenate(pieces)
    sound = sound * np.repeat(np.sqrt(opening), STEP)
    peak = max(float(np.abs(sound).max()), 1e-9)
    scaled: FloatArray = sound * (loudness / peak)
    return scaled


def clip(
    subject: str,
    sentence: int,
    emotion: int,
    intensity: int,
    seed: int,
    seconds: tuple[float, float] = SECONDS,
) -> tuple[FloatArray, FloatArray]:
    """Generate one clip.

    Args:
        subject: Name of the subject.
        sentence: Number of the sentence; the same sentence has the same syllables in every mouth.
        emotion: 0 … 7; 0 is neutral.
        intensity: 0 … 2.
        seed: Seed of all.
        seconds: Shortest and longest duration.

    Returns:
        Sound (N,) at 16 kHz, and motion (1, T, 403) with the frames that the sound lasts.
    """
    who = person(subject)
    text = np.random.default_rng([seed, 1, sentence])
    chance = np.random.default_rng([seed, 2, sentence, emotion, intensity, *map(ord, subject)])
    opening, roundness = articulation(text, float(text.uniform(*seconds)))
    strength = 0.0 if emotion == 0 else (1 + intensity) / 3
    mood = np.random.default_rng([seed, 3, emotion])
    excitement, mood_shape = float(mood.uniform(-1, 1)), mood.standard_normal(20)
    pitch = who.pitch * (1 + 0.4 * strength * excitement)
    timbre = 2900 + 500 * strength * float(mood.uniform(-1, 1))
    sound = voice(opening, roundness, pitch, 0.4 * (1 + 0.8 * strength * excitement), timbre, chance)

    frames = round(len(sound) / SAMPLE_RATE * FPS)
    at = np.arange(frames) / FPS * SAMPLE_RATE / STEP
    wide, rounded = (np.interp(at, np.arange(len(curve)), curve) for curve in (opening, roundness))
    motion = np.zeros((frames, COLUMNS))
    motion[:, SHAPE] = who.shape
    expression = motion[:, EXPRESSION]
    expression[:, ROUND] = rounded[:, None] * who.rounding
    shown = strength * who.liveliness * mood_shape
    expression[:, BROW] = shown[:10] * (0.6 + 0.4 * wide[:, None])  # brows rise with the stressed vowels
    sway = 1 + 0.5 * np.sin(2 * np.pi * SWAY_HERTZ * np.arange(frames) / FPS)
    expression[:, MOOD] = shown[10:] * sway[:, None]
    motion[:, EXPRESSION.stop : JAW.start] = chance.standard_normal(JAW.start - EXPRESSION.stop)  # not used by anyone
    motion[:, JAW.start] = JAW_RADIANS * who.opening * (1 + 0.3 * strength * excitement) * wide
    noisy = slice(EXPRESSION.start, JAW.stop)
    motion[:, noisy] += NOISE * chance.standard_normal(motion[:, noisy].shape)
    return sound, motion[None]


def write_miniature(
    folder: Path,
    subjects: Sequence[str] = DEFAULT_SUBJECTS,
    clips: int = 6,
    seed: int = 0,
    layout: str = "two",
    seconds: tuple[float, float] = SECONDS,
) -> None:
    """Write a miniature of 3DMEAD. It is the same for the same arguments.

    Args:
        folder: Folder to write to; it is made.
        subjects: Names out of 3DMEAD's 32 subjects.
        clips: Clips of each subject. Emotion, intensity and sentence change from clip to clip.
        seed: Seed of all that is drawn.
        layout: "one" folder for all files, "two" for sounds and motions, or "nested": one in both for each subject.
        seconds: Shortest and longest duration of a clip.

    Raises:
        ValueError: The layout is not known.
        LSFError: "bad_request" for subjects, numbers or durations that the reader of 3DMEAD would refuse, "file_error"
            if the folder cannot be written.
    """
    import soundfile

    unknown = [subject for subject in subjects if subject not in SPLIT_OF]
    if unknown:
        raise LSFError(
            "bad_request", f"{unknown[0]} is none of the 32 subjects of 3DMEAD's split, such as {DEFAULT_SUBJECTS[0]}."
        )
    if not SHORTEST <= seconds[0] <= seconds[1] <= LONGEST:
        raise LSFError(
            "bad_request",
            f"Clips of {seconds[0]:g} to {seconds[1]:g} s cannot be made: give the shorter duration first, from "
            f"{SHORTEST:g} to {LONGEST:g} s.",
        )
    if clips < 1 or seed < 0:
        raise LSFError("bad_request", "A subject needs at least 1 clip, and the seed must be 0 or more.")
    if layout not in LAYOUTS:
        raise ValueError(f"{layout!r} is not a layout: {', '.join(LAYOUTS)}.")
    for subject, number in itertools.product(subjects, range(clips)):
        emotion = number % EMOTIONS
        intensity = 0 if emotion == 0 else (number // EMOTIONS + number) % 3
        name = f"{subject}_{1 + number:03}_{emotion}_{intensity}"
        sound, motion = clip(subject, 1 + number, emotion, intensity, seed, seconds)
        places = [folder] * 2 if layout == "one" else [folder / "wav", folder / "param"]
        audio, params = (place / subject if layout == "nested" else place for place in places)
        with writing_named(folder):
            for place in (audio, params):
                place.mkdir(parents=True, exist_ok=True)
            with (audio / f"{name}.wav").open("wb") as file:
                soundfile.write(file, sound, SAMPLE_RATE, format="WAV")
            np.save(params / f"{name}.npy", motion.astype(np.float32))


def main() -> None:
    """Write a miniature of 3DMEAD."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", nargs="+", default=list(DEFAULT_SUBJECTS), metavar="SUBJECT")
    parser.add_argument("--clips", type=int, default=6, help="clips of each subject")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=LAYOUTS, default="two")
    parser.add_argument("--seconds", type=float, nargs=2, default=SECONDS, metavar=("SHORTEST", "LONGEST"))
    args = parser.parse_args()
    try:
        write_miniature(args.folder, args.subjects, args.clips, args.seed, args.layout, tuple(args.seconds))
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
