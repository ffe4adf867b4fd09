"""Training samples: random crops of the cached features with their target curves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import arkit
from ..numerics import FloatArray
from . import corpora
from .features import Part

MAX_COPIES = 5  # upper limit of the number of copies of a corpus (features.py)
CROP_FRAMES = [50, 75, 100, 150]  # lengths of the crops, drawn evenly
BATCH_CROP = 75  # frames of the crops that `Sampler`'s batch size counts
# Channels of the upper face and the nose, which the spoken text never moves.
UPPER_FACE = tuple(i for i, c in enumerate(arkit.CHANNELS) if c.startswith(("brow", "eye", "cheek", "nose")))


def load_targets(work: Path, corpus: str) -> dict[str, FloatArray]:
    """Return the target curves (F, 52) at 25 fps of every clip that has them, with the upper face at 0.

    The motion of the upper face does not follow from the spoken text.
    """
    targets = dict(np.load(work / "targets" / f"{corpus}.npz"))
    for curves in targets.values():
        curves[:, UPPER_FACE] = 0
    return targets


def load_intensity(work: Path, corpus: str) -> dict[str, FloatArray]:
    """Return how strongly an emotion shows (F,) at 25 fps in every clip (expression_targets.py)."""
    return dict(np.load(work / "intensity" / f"{corpus}.npz"))


@dataclass
class LabelledSequence:
    """Features and curves of consecutive clips.

    Attributes:
        corpus: Name of the corpus.
        features: (F, C) float16 at 25 fps.
        curves: (F, 52) target curves of the speech alone.
        intensity: (F,) factor of the pose of an emotion.
        name: Name of the first clip.
    """

    corpus: str
    features: FloatArray
    curves: FloatArray
    intensity: FloatArray
    name: str


def change_speed(curves: FloatArray, first: int, frames: int, speed: float) -> FloatArray:
    """Resample curves for playback `speed` times as fast.

    Args:
        curves: (F, K) curves or (F,) values at the original speed.
        first: First frame of the result, counted at the new speed.
        frames: Number of frames of the result.
        speed: Factor of the speed.

    Returns:
        (frames, K) or (frames,). The last frame is held beyond the end.
    """
    at = (first + np.arange(frames)) * speed
    low = np.clip(np.floor(at).astype(int), 0, len(curves) - 1)
    high = np.clip(low + 1, 0, len(curves) - 1)
    weight = (at - np.floor(at)).reshape(-1, *[1] * (curves.ndim - 1)).astype(np.float32)
    interpolated: FloatArray = (1 - weight) * curves[low] + weight * curves[high]
    return interpolated


def available_copies(work: Path, corpus: str) -> list[int]:
    """Return the copies of a corpus whose features exist."""
    return [k for k in range(MAX_COPIES) if (work / "features" / f"{corpus}_{k}.json").exists()]


def read_segments(work: Path, corpus: str, copies: list[int]) -> Iterator[tuple[FloatArray, list[Part]]]:
    """Yield the features (F, C) float16 at 25 fps of every segment that features.py wrote, and its parts."""
    for copy in copies:
        path = work / "features" / f"{corpus}_{copy}"
        features = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for entry in json.loads(path.with_suffix(".json").read_text()):
            frames = sum(part["frames"] for part in entry["parts"])
            yield features[entry["start"] : entry["start"] + frames], entry["parts"]


def load(work: Path, data: Path, corpus: str, copies: list[int], split: str) -> list[LabelledSequence]:
    """Return the sequences of one corpus. Parts of other splits and parts without targets are cut out.

    Args:
        work: Folder of the features and targets.
        data: Folder that holds the corpora.
        corpus: Name of the corpus.
        copies: Copies to read.
        split: "train", "valid" or "test".
    """
    clips = {c.name: c for c in corpora.read(corpus, data)}
    targets, intensity = load_targets(work, corpus), load_intensity(work, corpus)
    selected = {name for name in targets if clips[name].split == split}
    sequences = []
    for features, parts in read_segments(work, corpus, copies):
        for frames, run in runs(parts, selected):
            curves, strength = join(run, targets), join(run, intensity)
            sequences.append(LabelledSequence(corpus, features[frames], curves, strength, run[0]["name"]))
    return sequences


def runs(parts: list[Part], selected: set[str]) -> Iterator[tuple[slice, list[Part]]]:
    """Yield the frames and parts of every run of consecutive parts whose clips are selected."""
    at = 0
    for keep, several in groupby(parts, lambda part: part["name"] in selected):
        run = list(several)
        frames = sum(part["frames"] for part in run)
        if keep:
            yield slice(at, at + frames), run
        at += frames


def join(run: list[Part], values: dict[str, FloatArray]) -> FloatArray:
    """Return curves (F, K) or single values (F,) of consecutive parts, F frames in all; 0 in pauses.

    Args:
        run: The parts.
        values: Curves (n, K) or values (n,) of the clips by name, at the original speed.
    """
    pieces = []
    for part in run:
        whole = values[part["name"]]
        if part.get("pause"):
            pieces.append(np.zeros((part["frames"], *whole.shape[1:]), np.float32))
        else:
            pieces.append(change_speed(whole, part["first"], part["frames"], part["speed"]))
    return np.concatenate(pieces)


class Batch(NamedTuple):
    """Crops of B sequences, F frames each."""

    features: Tensor  # (B, F, C)
    curves: Tensor  # (B, F, 52) of the speech alone
    intensity: Tensor  # (B, F) factor of the pose of an emotion
    mask: Tensor  # (B, F) true on valid frames


class Sampler:
    """Draws batches of random crops. All crops of a batch have the same length, which varies between batches."""

    def __init__(self, sequences: list[LabelledSequence], shares: dict[str, float], batch: int, seed: int):
        """Group the sequences.

        Args:
            sequences: Sequences of all corpora.
            shares: Share of the crops that come from each corpus; they sum to 1.
            batch: Number of crops in a batch if they last 3 s; the number is larger for shorter crops.
            seed: Seed of the draws.
        """
        self.groups = {c: [s for s in sequences if s.corpus == c] for c in shares}
        self.shares, self.batch = shares, batch
        self.rng = np.random.default_rng(seed)
        # A sequence is drawn in proportion to its length, so that every frame is drawn equally often.
        self.lengths = {c: np.array([len(s.curves) for s in g], float) for c, g in self.groups.items()}

    def draw(self) -> Batch:
        """Draw a batch."""
        frames = int(self.rng.choice(CROP_FRAMES))
        names = list(self.shares)
        count = self.batch * BATCH_CROP // frames + 1
        corpora_drawn = self.rng.choice(names, count, p=np.array(list(self.shares.values())))
        rows = []
        for corpus in corpora_drawn:
            lengths = self.lengths[corpus]
            sequence = self.groups[corpus][self.rng.choice(len(lengths), p=lengths / lengths.sum())]
            first = int(self.rng.integers(0, max(1, len(sequence.curves) - frames + 1)))
            last = min(first + frames, len(sequence.curves))
            rows.append([x[first:last] for x in (sequence.features, sequence.curves, sequence.intensity)])
        mask = torch.zeros(len(rows), frames, dtype=torch.bool)
        arrays = [torch.zeros(len(rows), frames, *x.shape[1:]) for x in rows[0]]
        for i, row in enumerate(rows):
            mask[i, : len(row[0])] = True
            for array, x in zip(arrays, row, strict=True):
                array[i, : len(x)] = torch.from_numpy(np.asarray(x, np.float32))
        features, curves, intensity = arrays
        return Batch(features, curves, intensity, mask)
