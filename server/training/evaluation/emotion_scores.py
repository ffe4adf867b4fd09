"""Scores of emotion: what the voice implies, what of it is wrong, probes, lip contact under chosen emotions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from ... import arkit
from ...files.audio import load_16k
from ...model import synthesize
from ...model.voice_average import measure
from ...numerics import FloatArray
from ...performance.perform import perform
from ...protocol.emotions import EMOTIONS
from .. import corpora
from ..corpora import Clip, required
from . import metrics
from .linear_probe import LinearProbe
from .runner import Options, Runner
from .spread import Report, Spread

EXPRESSION_CHANNELS = [
    i
    for i, c in enumerate(arkit.CHANNELS)
    if c.startswith(("brow", "eyeSquint", "eyeWide", "eyeBlink", "cheek", "nose", "mouthSmile", "mouthFrown"))
]
TEMPERATURE = 0.2  # of the takes
WRONG_INTENSITY = 0.3  # mean over a line from which on a wrong emotion counts as shown
VISIBLE_INTENSITY = 0.02  # below which nothing is to be seen


def detected_emotion_scores(runner: Runner, data: Path) -> Report:
    """Return the strongest emotion that each line of emotional_english implies, and its mean intensity over the line.

    The corpus is no part of training.
    """
    scores: Report = {}
    for path in sorted((data / "emotional_english").glob("*.flac")):
        mean = runner.perform(load_16k(path)).emotion.mean(0)
        intensity = {name: float(mean[k]) for k, name in enumerate(EMOTIONS) if name != "neutral"}
        strongest = max(intensity, key=lambda name: intensity[name])
        scores[f"{path.stem}:{strongest}"] = intensity[strongest]
    return scores


def own_mean(runner: Runner, lines: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """Return the mean statistics (2 · C,) of a speaker's lines, sound at 16 kHz; None if they are too few."""
    reader = runner.model.emotion_reader
    assert reader is not None
    with torch.inference_mode():
        heard = [measure(runner.model, audio, lambda: False) for audio in lines]
        statistics = torch.stack([line.mean_and_deviation for line in heard])
        mean = reader.own_mean(statistics, torch.tensor([line.spoken for line in heard]))
    return None if mean is None else mean.numpy()


def shown_emotion_scores(emotions: Sequence[str | None], shown: FloatArray) -> dict[str, list[bool]]:
    """Return outcomes of what lines show.

    Args:
        emotions: (N,) the emotion of each line. Boredom counts as neutral; lines without an emotion are left out.
        shown: (N, 8) mean intensities in the order of EMOTIONS.

    Returns:
        Outcomes by name: "wrong", whether another emotion than that of the line is shown at WRONG_INTENSITY; "EMOTION",
        whether it is the strongest that can be seen, or for neutral whether none is shown at WRONG_INTENSITY; "sad
        smiles", whether the strongest in a sad line is joy.
    """
    outcomes: dict[str, list[bool]] = {}
    for emotion, row in zip(emotions, shown, strict=True):
        if emotion is None:
            continue
        name = "neutral" if emotion == "bored" else emotion
        strengths = {e: float(row[k]) for k, e in enumerate(EMOTIONS) if e != "neutral"}
        visible = [e for e, strength in strengths.items() if strength >= WRONG_INTENSITY]
        strongest = max(strengths, key=lambda e: strengths[e])
        if strengths[strongest] < VISIBLE_INTENSITY:
            strongest = "neutral"
        outcomes.setdefault("wrong", []).append(any(e != name for e in visible))
        outcomes.setdefault(name, []).append(not visible if name == "neutral" else strongest == name)
        if name == "sad":
            outcomes.setdefault("sad smiles", []).append(strongest == "happy")
    return outcomes


def wrong_emotion_scores(runner: Runner, data: Path) -> Report:
    """Return what held-out people show, with and without their own mean; the range is that over people.

    EmoDB's lines are speech, EmoGator's vocal bursts. The mean is that of the person's lines with all emotions.
    """
    report: Report = {}
    for corpus in ("emodb", "emogator"):
        lines: dict[str, list[Clip]] = {}
        for clip in runner.clips(data, corpus):
            lines.setdefault(clip.speaker, []).append(clip)
        found: dict[str, dict[str, list[bool]]] = {}
        for speaker, clips in lines.items():
            sounds = [load_16k(clip.audio) for clip in clips]
            for kind, mean in (("", None), (" own", own_mean(runner, sounds))):
                if kind and mean is None:
                    continue
                shown = np.stack([perform(runner.model, sound, own_mean=mean).emotion.mean(0) for sound in sounds])
                for name, several in shown_emotion_scores([c.emotion for c in clips], shown).items():
                    found.setdefault(f"{corpus}{kind} {name}", {})[speaker] = several
        report |= {name: Spread.of_outcomes(outcomes) for name, outcomes in found.items()}
    return report


def expression_statistics(curves: FloatArray) -> FloatArray:
    """Return mean and deviation over time of the channels that show emotion, of curves (F, 52)."""
    shown = curves[:, EXPRESSION_CHANNELS]
    return np.concatenate([shown.mean(0), shown.std(0)])


def emotion_accuracy(clips: Sequence[Clip], rows: FloatArray) -> Spread:
    """Return the accuracy of a linear probe for emotion on the test split, with the range over its speakers.

    Args:
        clips: Clips with an emotion, of the splits "train", on which the probe is trained, and "test".
        rows: (N, C) what is known of each clip.
    """
    train, test = (np.array([c.split == split for c in clips]) for split in ("train", "test"))
    emotions = np.array([required(c.emotion) for c in clips])
    guesses = LinearProbe(rows[train], list(emotions[train])).predict(rows[test])
    outcomes: dict[str, list[bool]] = {}
    for clip, guess in zip([c for c in clips if c.split == "test"], guesses, strict=True):
        outcomes.setdefault(clip.speaker, []).append(guess == clip.emotion)
    return Spread.of_outcomes(outcomes)


def emotion_scores(runner: Runner, data: Path) -> Report:
    """Return what held-out people show (`wrong_emotion_scores`), and the accuracy of linear probes for emotion.

    The probes are trained on EmoDB's training speakers and tested on its held-out ones.
    """
    clips = [clip for clip in corpora.read("emodb", data) if clip.split != "valid"]
    embeddings = [synthesize(runner.model, load_16k(clip.audio)).emotion_embedding for clip in clips]
    generated = [expression_statistics(runner.run(clip)) for clip in clips]
    labels = [clip.emotion for clip in clips if clip.split == "test"]
    probes: Report = {
        "embedding": emotion_accuracy(clips, np.stack(embeddings)),
        "curves": emotion_accuracy(clips, np.stack(generated)),
        "most_frequent": max(labels.count(c) for c in set(labels)) / len(labels),
    }
    return probes | wrong_emotion_scores(runner, data)


def chosen_emotion_scores(runner: Runner, data: Path, limit: int = 20) -> Report:
    """Return the share of p/b/m with lip contact, under every emotion at full strength and in the worst of 3 takes.

    The spread is that over voices.
    """
    clips = runner.clips(data, "kokoro")[:limit]

    def contact(emotion: str | None = None, **options: Unpack[Options]) -> Spread:
        outcomes: dict[str, list[bool]] = {}
        for clip in clips:
            aperture = runner.lips(runner.run(clip, emotion, **options))[:, 0]
            tests = metrics.phone_tests(aperture, required(clip.phones))
            outcomes.setdefault(clip.speaker, []).extend(tests["contact"])
        return Spread.of_outcomes(outcomes)

    report: Report = {emotion: contact(emotion) for emotion in EMOTIONS}
    takes = [contact(temperature=TEMPERATURE, seed=seed) for seed in range(3)]
    return report | {"worst_take": min(takes, key=lambda take: take.value)}
