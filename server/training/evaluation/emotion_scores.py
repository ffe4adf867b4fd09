"""Scores of emotion: what the voice implies, probes on embedding and curves, lip contact under chosen emotions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from ... import arkit
from ...files.audio import load_16k
from ...model import synthesize
from ...numerics import FloatArray
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
    """Return the accuracy of linear probes for emotion, trained on EmoDB's training speakers, on held-out ones."""
    clips = [clip for clip in corpora.read("emodb", data) if clip.split != "valid"]
    embeddings = [synthesize(runner.model, load_16k(clip.audio)).emotion_embedding.mean(0) for clip in clips]
    generated = [expression_statistics(runner.run(clip)) for clip in clips]
    labels = [clip.emotion for clip in clips if clip.split == "test"]
    return {
        "embedding": emotion_accuracy(clips, np.stack(embeddings)),
        "curves": emotion_accuracy(clips, np.stack(generated)),
        "most_frequent": max(labels.count(c) for c in set(labels)) / len(labels),
    }


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
