"""Training samples: random crops of the cached features with their target curves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import arkit
from ..numerics import FloatArray
from . import corpora
from .corpora import required
from .features import CONVERTED_COPY, Part
from .speech.phonetics import Phone, speech_activity

MAX_COPIES = 5  # upper limit of the number of copies of a corpus (features.py)
CROP_FRAMES = [50, 75, 100, 150]  # lengths of the crops, drawn evenly
BATCH_CROP = 75  # frames of the crops that `Sampler`'s batch size counts
# Channels of the upper face and the nose, which articulation never drives.
UPPER_FACE = tuple(i for i, c in enumerate(arkit.CHANNELS) if c.startswith(("brow", "eye", "cheek", "nose")))


def load_targets(work: Path, corpus: str) -> dict[str, FloatArray]:
    """Return the target curves (F, 52) at 25 fps of every clip that has them, with the upper face at 0.

    The motion of the upper face does not follow from the spoken text.
    """
    targets = dict(np.load(work / "targets" / f"{corpus}.npz"))
    for curves in targets.values():
        curves[:, UPPER_FACE] = 0
    return targets


@dataclass
class LabelledSequence:
    """Features and curves of consecutive clips.

    Attributes:
        corpus: Name of the corpus.
        features: (F, C) float16 at 25 fps.
        curves: (F, 52) target curves.
        name: Name of the first clip.
    """

    corpus: str
    features: FloatArray
    curves: FloatArray
    name: str


def rest_outside_speech(curves: FloatArray, phones: list[Phone]) -> FloatArray:
    """Return curves (F, 52) that fade to a face at rest before the first phone, in pauses and after the last phone.

    GRID's speaker opens his mouth 0.4 s before his first sound. The model is to learn that for his own voice only.
    """
    faded: FloatArray = curves * speech_activity(phones, len(curves))[:, None]
    return faded


def change_speed(curves: FloatArray, first: int, frames: int, speed: float) -> FloatArray:
    """Resample curves for playback `speed` times as fast.

    Args:
        curves: (F, K) curves at the original speed.
        first: First frame of the result, counted at the new speed.
        frames: Number of frames of the result.
        speed: Factor of the speed.

    Returns:
        (frames, K). The last frame is held beyond the end.
    """
    at = (first + np.arange(frames)) * speed
    low = np.clip(np.floor(at).astype(int), 0, len(curves) - 1)
    high = np.clip(low + 1, 0, len(curves) - 1)
    weight = (at - np.floor(at))[:, None].astype(np.float32)
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
    original = load_targets(work, corpus)
    converted = {  # for copies in another voice: without the tracked speaker's habits before speech
        name: curves if clips[name].lips is None else rest_outside_speech(curves, required(clips[name].phones))
        for name, curves in original.items()
    }
    selected = {name for name in original if clips[name].split == split}
    sequences = []
    for copy in copies:
        targets = original if copy < CONVERTED_COPY else converted
        for features, parts in read_segments(work, corpus, [copy]):
            sequences += [join(corpus, features[frames], run, targets) for frames, run in runs(parts, selected)]
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


def join(corpus: str, features: FloatArray, run: list[Part], targets: dict[str, FloatArray]) -> LabelledSequence:
    """Return consecutive parts as one sequence; the face rests in pauses.

    Args:
        corpus: Name of the corpus.
        features: (F, C) features of the parts.
        run: The parts, F frames in all.
        targets: Curves of the clips by name.
    """
    curves = np.concatenate(
        [
            np.zeros((p["frames"], len(arkit.CHANNELS)), np.float32)
            if p.get("pause")
            else change_speed(targets[p["name"]], p["first"], p["frames"], p["speed"])
            for p in run
        ]
    )
    return LabelledSequence(corpus, features, curves, run[0]["name"])


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

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (B, F, C), curves (B, F, 52) and the mask (B, F) of valid frames."""
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
            rows.append((np.asarray(sequence.features[first:last], np.float32), sequence.curves[first:last]))
        mask = torch.zeros(len(rows), frames, dtype=torch.bool)
        features = torch.zeros(len(rows), frames, rows[0][0].shape[1])
        curves = torch.zeros(len(rows), frames, len(arkit.CHANNELS))
        for i, (f, c) in enumerate(rows):
            mask[i, : len(f)] = True
            features[i, : len(f)], curves[i, : len(c)] = map(torch.from_numpy, (f, c))
        return features, curves, mask
