"""Figures of a clip in several variants, and of many clips with intervals of confidence.

The released definitions are one way to look at a run: the first random take on the average head, all frames pooled, so
that long clips count more, and FDD with its sign, so that too little motion here hides too much there. The other
variants change one thing each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....flame import Flame
from ....numerics import FloatArray
from ..mead3d import Mead3DClip
from .distances import Distances, measure, random_pairs
from .predictions import Predictions
from .regions import Regions

METRICS = "MVE", "LVE", "FDD", "FDD_absolute", "MEE", "CE", "Diversity"
PAIRS = 5  # of samples, of which the diversity is the mean distance
EXPRESSIONS = 50

VARIANTS = {
    "released": "first random take, on the average head",
    "deterministic": "deterministic take, on the average head",
    "identity_kept": "first random take, on each subject's own head",
    "deterministic_identity_kept": "deterministic take, on each subject's own head",
    "average_identity": "deterministic take of a network that is told the average face, on the average head",
    "still": "a face that does not move, on the average head: what knowing nothing gives",
}
DRAWS = 2000  # of the bootstrap: the ends of an interval then vary by a few per cent of its length
CONFIDENCE = 0.95

Figures = dict[str, float]
"""Values by the names of METRICS. FDD has its sign; those that need a missing region or samples are left out."""


@dataclass(frozen=True)
class ClipScores:
    """What was measured on a clip.

    Attributes:
        name: Of the clip.
        subject: Of the clip.
        emotion: As in the clip's name.
        frames: Frames that were compared.
        variants: Figures by the names of VARIANTS.
    """

    name: str
    subject: str
    emotion: str
    frames: int
    variants: dict[str, Figures]


def score_clip(
    clip: Mead3DClip, predictions: Predictions, flame: Flame, regions: Regions, rng: np.random.Generator
) -> ClipScores:
    """Measure a clip in all variants.

    Args:
        clip: The clip.
        predictions: Of the network.
        flame: The layer, on the device of the predictions.
        regions: Vertices of lips and upper face.
        rng: Draws the pairs of samples.
    """
    device = flame.template.device
    takes = torch.cat(
        [
            predictions.samples,
            predictions.deterministic[None],
            predictions.average_identity[None],
            torch.zeros_like(predictions.deterministic)[None],
        ]
    )
    samples = len(predictions.samples)
    truth = torch.from_numpy(clip.curves()).to(device)[: takes.shape[1]]
    own = torch.from_numpy(clip.shape()).to(device)[None]
    pairs = random_pairs(samples, PAIRS, rng)
    kept = slice(samples + 1)  # samples and deterministic take

    def on_head(shape: Tensor, some: Tensor) -> Distances:
        vertices = posed(flame, shape)
        neutral = vertices(torch.zeros_like(truth[:1]))[0]
        return measure(vertices, neutral, truth, some, samples, pairs, regions)

    average_head, own_head = on_head(torch.zeros_like(own), takes), on_head(own, takes[kept])
    variants = {
        "deterministic": figures(average_head, samples),
        "deterministic_identity_kept": figures(own_head, samples),
        "average_identity": figures(average_head, samples + 1),
        "still": figures(average_head, samples + 2),
    }
    if samples:
        variants["released"] = figures(average_head, 0) | sample_figures(average_head, samples)
        variants["identity_kept"] = figures(own_head, 0) | sample_figures(own_head, samples)
    variants = {name: variants[name] for name in VARIANTS if name in variants}
    return ClipScores(clip.name, clip.subject, clip.emotion, average_head.frames, variants)


def posed(flame: Flame, shape: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what gives the vertices (b, V, 3) of motion (b, 53) on the head of a shape (1, 300)."""
    return lambda motion: flame.vertices(shape, motion[:, :EXPRESSIONS], motion[:, EXPRESSIONS:])


def figures(distances: Distances, take: int) -> Figures:
    """Return the figures of one take."""
    found = {"MVE": float(distances.mve[take])}
    if distances.lve is not None:
        found["LVE"] = float(distances.lve[take])
    if distances.fdd is not None:
        found["FDD"] = float(distances.fdd[take])
        found["FDD_absolute"] = abs(found["FDD"])
    return found


def sample_figures(distances: Distances, samples: int) -> Figures:
    """Return the figures of all samples. CE is the LVE of the sample that is best on this clip."""
    found: Figures = {}
    if distances.mee is not None and distances.lve is not None:
        found |= {"MEE": distances.mee, "CE": float(distances.lve[:samples].min())}
    if distances.diversity is not None:
        found["Diversity"] = distances.diversity
    return found


@dataclass(frozen=True)
class Interval:
    """A mean with its interval of confidence, and the number of clips."""

    value: float
    low: float
    high: float
    clips: int


@dataclass(frozen=True)
class Summary:
    """Figures of many clips, each by the name of its metric.

    Attributes:
        released: The released definitions: variant "released", all frames pooled, FDD the mean of the clips' signed
            ones.
        per_clip: Of each variant, means in which every clip counts alike.
        per_emotion: Of the variant `grouped`, by emotion, every clip alike.
        per_subject: Likewise, by subject.
        grouped: The variant of the two: "released", or "deterministic" without samples.
    """

    released: dict[str, Interval]
    per_clip: dict[str, dict[str, Interval]]
    per_emotion: dict[str, dict[str, Interval]]
    per_subject: dict[str, dict[str, Interval]]
    grouped: str


def summarise(clips: Sequence[ClipScores], seed: int = 0) -> Summary:
    """Summarise the clips of a run, at least one.

    Args:
        clips: Their scores, all with the same variants and metrics.
        seed: Of the bootstrap.
    """
    grouped = "released" if "released" in clips[0].variants else "deterministic"

    def by(key: Callable[[ClipScores], str]) -> dict[str, dict[str, Interval]]:
        names = sorted({key(clip) for clip in clips})
        return {name: means([clip for clip in clips if key(clip) == name], grouped, seed) for name in names}

    return Summary(
        released=means(clips, "released", seed, pooled=True) if grouped == "released" else {},
        per_clip={variant: means(clips, variant, seed) for variant in clips[0].variants},
        per_emotion=by(lambda clip: clip.emotion),
        per_subject=by(lambda clip: clip.subject),
        grouped=grouped,
    )


def means(clips: Sequence[ClipScores], variant: str, seed: int, pooled: bool = False) -> dict[str, Interval]:
    """Return the means of a variant over clips, with intervals.

    Args:
        clips: At least one.
        variant: One of VARIANTS that all of them have.
        seed: Of the bootstrap.
        pooled: Whether a clip counts by its frames; in FDD it counts as one always.
    """
    names = [name for name in METRICS if name in clips[0].variants[variant]]
    values = np.array([[clip.variants[variant][name] for name in names] for clip in clips])
    weights = np.ones_like(values)
    if pooled:
        frames = np.array([clip.frames for clip in clips], float)
        weights[:, [not name.startswith("FDD") for name in names]] = frames[:, None]
    value = (weights * values).sum(0) / weights.sum(0)
    low, high = bootstrap(values, weights, [clip.subject for clip in clips], seed)
    return {
        name: Interval(float(v), float(a), float(b), len(clips))
        for name, v, a, b in zip(names, value, low, high, strict=True)
    }


def bootstrap(
    values: FloatArray, weights: FloatArray, subjects: Sequence[str], seed: int, draws: int = DRAWS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intervals of confidence of weighted means, by the percentiles of a bootstrap in two stages.

    Each draw takes as many subjects as there are, with repetition, and of each as many of its clips as it has. So the
    interval tells how the figure would vary with other people and other sentences, as far as few people can tell.

    Args:
        values: (N, M) of N clips.
        weights: (N, M).
        subjects: (N,) names.
        seed: Of the draws.
        draws: Their number.

    Returns:
        Lower and upper ends (M,).
    """
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(np.array(subjects) == name) for name in sorted(set(subjects))]
    weighted = weights * values
    results = np.empty((draws, values.shape[1]))
    for draw in range(draws):
        chosen = [groups[i] for i in rng.integers(len(groups), size=len(groups))]
        clips = np.concatenate([own[rng.integers(len(own), size=len(own))] for own in chosen])
        results[draw] = weighted[clips].sum(0) / weights[clips].sum(0)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(results, [tail, 100 - tail], axis=0)
    return low, high


def as_json(summary: Summary, clips: Sequence[ClipScores], settings: Mapping[str, object]) -> dict[str, object]:
    """Return everything as JSON's types, in metres and square metres."""

    def plain(group: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
        return {name: vars(interval) for name, interval in group.items()}

    return {
        "settings": dict(settings),
        "variants": {name: VARIANTS[name] for name in summary.per_clip},
        "released": plain(summary.released),
        "per_clip": {name: plain(group) for name, group in summary.per_clip.items()},
        "grouped_variant": summary.grouped,
        "per_emotion": {name: plain(group) for name, group in summary.per_emotion.items()},
        "per_subject": {name: plain(group) for name, group in summary.per_subject.items()},
        "clips": [vars(clip) for clip in clips],
    }
