"""Clips of unlike lengths in batches: which clips a step has, who computes which of them, and their padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

BUCKET = 16  # steps among which clips are sorted by length; between such buckets the order is random


@dataclass(frozen=True)
class Example:
    """One clip. F motion frames, T feature frames at 50 Hz.

    Attributes:
        motion: (F, K) in the channels' own units.
        identity: (I,) shape coefficients.
        motion_features: (T, C) frozen features of the motion backbone; None for the prior, which does not hear.
        emotion_features: (T, C') likewise of the emotion backbone.
    """

    motion: Tensor
    identity: Tensor
    motion_features: Tensor | None = None
    emotion_features: Tensor | None = None


class Clips(Protocol):
    """The clips of a part of the data."""

    @property
    def lengths(self) -> Sequence[int]:
        """Motion frames of each clip, as `example` returns them."""

    def example(self, clip: int) -> Example:
        """Read a clip."""


@dataclass(frozen=True)
class Batch:
    """Clips with their padding. A mask is true on valid frames, which come first; None: all are valid.

    Attributes:
        motion: (B, F, K).
        mask: (B, F).
        identity: (B, I).
        motion_features: (B, T, C).
        emotion_features: (B, T, C').
        feature_mask: (B, T).
    """

    motion: Tensor
    mask: Tensor | None
    identity: Tensor
    motion_features: Tensor | None = None
    emotion_features: Tensor | None = None
    feature_mask: Tensor | None = None

    @property
    def frames(self) -> int:
        """Number of valid motion frames."""
        return self.motion.shape[0] * self.motion.shape[1] if self.mask is None else int(self.mask.sum())


def collate(examples: Sequence[Example], device: torch.device, dtype: torch.dtype = torch.float32) -> Batch:
    """Pad clips to a batch on a device."""

    def padded(parts: Sequence[Tensor | None]) -> tuple[Tensor | None, Tensor | None]:
        present = [part.to(device, dtype) for part in parts if part is not None]
        if not present:
            return None, None
        lengths = torch.tensor([len(part) for part in present], device=device)
        joined = torch.nn.utils.rnn.pad_sequence(present, batch_first=True)
        equal = all(len(part) == len(present[0]) for part in present)
        return joined, None if equal else torch.arange(joined.shape[1], device=device) < lengths[:, None]

    motion, mask = padded([example.motion for example in examples])
    motion_features, feature_mask = padded([example.motion_features for example in examples])
    emotion_features, _ = padded([example.emotion_features for example in examples])
    assert motion is not None
    identity = torch.stack([example.identity for example in examples]).to(device, dtype)
    return Batch(motion, mask, identity, motion_features, emotion_features, feature_mask)


def epoch_batches(lengths: Sequence[int], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Divide all clips into the steps of an epoch, in an order that depends on seed and epoch alone.

    Clips of one step are of like length, so that little is padded: a random order is cut into buckets of BUCKET steps,
    each is sorted by length and cut into steps, and the steps are put into a random order.

    Args:
        lengths: Frames of each clip.
        batch: Clips of a step; the last step of the last bucket may have fewer.
        seed: Seed of the training.
        epoch: Number of the epoch.

    Returns:
        The numbers of the clips of each step. Every clip is in one step.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    steps = []
    for first in range(0, len(order), BUCKET * batch):
        bucket = order[first : first + BUCKET * batch]
        bucket = bucket[np.argsort([lengths[clip] for clip in bucket], kind="stable")]
        steps += [bucket[at : at + batch].tolist() for at in range(0, len(bucket), batch)]
    return [steps[at] for at in rng.permutation(len(steps))]


def portion(clips: Sequence[int], part: int, parts: int) -> list[int]:
    """Return the part with number `part` of `parts`: neighbours, as equal in number as can be, the first ones larger.

    All parts, one after the other, are `clips` again. A part may be empty.
    """
    size, more = divmod(len(clips), parts)
    first = part * size + min(part, more)
    return list(clips[first : first + size + (part < more)])
