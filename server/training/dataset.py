"""Training samples: random crops of the cached features with the curves that belong to them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import arkit
from . import corpora
from .features import OTHERS
from .speech.phonetics import Phone, speaking

COPIES = 5  # at most, of every corpus: as many as were made
# Channels of the upper face and the nose: never driven by articulation.
UPPER = tuple(i for i, c in enumerate(arkit.CHANNELS) if c.startswith(("brow", "eye", "cheek", "nose")))


def load_targets(work: Path, corpus: str) -> dict[str, np.ndarray]:
    """Curves (F, 52) of every clip that has any, without the upper face: how it moves is no matter of what is said."""
    targets = dict(np.load(work / "targets" / f"{corpus}.npz"))
    for curves in targets.values():
        curves[:, UPPER] = 0
    return targets


@dataclass
class Stretch:
    """Clips heard in one go. features (F, C) float16, curves (F, 52)."""

    corpus: str
    features: np.ndarray
    curves: np.ndarray
    name: str


def rested(curves: np.ndarray, phones: list[Phone]) -> np.ndarray:
    """Curves (F, 52) of a face that rests until it begins to speak, and again when it has spoken.

    GRID's speaker opens his mouth 0.4 s before his first sound. Only his own voice should say so.
    """
    return curves * speaking(phones, len(curves))[:, None]


def stretched(curves: np.ndarray, first: int, frames: int, speed: float) -> np.ndarray:
    """Frames first… of curves that are played `speed` times as fast: (frames, K)."""
    at = (first + np.arange(frames)) * speed
    low = np.clip(np.floor(at).astype(int), 0, len(curves) - 1)
    high = np.clip(low + 1, 0, len(curves) - 1)
    part = (at - np.floor(at))[:, None].astype(np.float32)
    return (1 - part) * curves[low] + part * curves[high]


def copies(work: Path, corpus: str) -> list[int]:
    """Those copies of a corpus whose features were made."""
    return [k for k in range(COPIES) if (work / "features" / f"{corpus}_{k}.json").exists()]


def heard(work: Path, corpus: str, copies: list[int]) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """What was heard in one go, as features.py wrote it: features (F, C) float16 at 25 fps, and the parts."""
    for copy in copies:
        path = work / "features" / f"{corpus}_{copy}"
        features = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for entry in json.loads(path.with_suffix(".json").read_text()):
            frames = sum(part["frames"] for part in entry["parts"])
            yield features[entry["start"] : entry["start"] + frames], entry["parts"]


def load(work: Path, data: Path, corpus: str, copies: list[int], split: str) -> list[Stretch]:
    """Stretches of one corpus; parts of other splits and those without targets are cut out."""
    clips = {c.name: c for c in corpora.read(corpus, data)}
    own = load_targets(work, corpus)
    others = {
        name: curves if clips[name].lips is None else rested(curves, clips[name].phones) for name, curves in own.items()
    }
    kept = {name for name in own if clips[name].split == split}
    out = []
    for copy in copies:
        targets = own if copy < OTHERS else others
        for given, parts in heard(work, corpus, [copy]):
            out += [join(corpus, given[frames], run, targets) for frames, run in runs(parts, kept)]
    return out


def runs(parts: list[dict], kept: set[str]) -> Iterator[tuple[slice, list[dict]]]:
    """Parts of kept clips that follow each other, and the frames they are in."""
    at = 0
    for keep, several in groupby(parts, lambda part: part["name"] in kept):
        run = list(several)
        frames = sum(part["frames"] for part in run)
        if keep:
            yield slice(at, at + frames), run
        at += frames


def join(corpus: str, features: np.ndarray, run: list[dict], targets: dict) -> Stretch:
    """Parts that follow each other, with the curves of their clips; in a pause the face rests."""
    curves = np.concatenate(
        [
            np.zeros((p["frames"], len(arkit.CHANNELS)), np.float32)
            if p.get("pause")
            else stretched(targets[p["name"]], p["first"], p["frames"], p["speed"])
            for p in run
        ]
    )
    return Stretch(corpus, features, curves, run[0]["name"])


class Sampler:
    """Batches of crops. `shares` says how much of a batch comes from which corpus; lengths vary from batch to batch."""

    def __init__(self, stretches: list[Stretch], shares: dict[str, float], batch: int, seed: int):
        self.groups = {c: [s for s in stretches if s.corpus == c] for c in shares}
        self.shares, self.batch = shares, batch
        self.rng = np.random.default_rng(seed)
        # A stretch is drawn in proportion to its length, so that every frame is seen equally often.
        self.chances = {c: np.array([len(s.curves) for s in g], float) for c, g in self.groups.items()}

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, F, C), curves (B, F, 52), mask (B, F)"""
        frames = int(self.rng.choice([50, 75, 100, 150]))
        names = list(self.shares)
        corpora_drawn = self.rng.choice(names, self.batch * 75 // frames + 1, p=np.array(list(self.shares.values())))
        rows = []
        for corpus in corpora_drawn:
            chances = self.chances[corpus]
            stretch = self.groups[corpus][self.rng.choice(len(chances), p=chances / chances.sum())]
            first = int(self.rng.integers(0, max(1, len(stretch.curves) - frames + 1)))
            last = min(first + frames, len(stretch.curves))
            rows.append((np.asarray(stretch.features[first:last], np.float32), stretch.curves[first:last]))
        mask = torch.zeros(len(rows), frames, dtype=torch.bool)
        features = torch.zeros(len(rows), frames, rows[0][0].shape[1])
        curves = torch.zeros(len(rows), frames, len(arkit.CHANNELS))
        for i, (f, c) in enumerate(rows):
            mask[i, : len(f)] = True
            features[i, : len(f)], curves[i, : len(c)] = map(torch.from_numpy, (f, c))
        return features, curves, mask
