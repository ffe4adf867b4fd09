"""Clips of random features for tests of the study of the fusion blocks."""

from pathlib import Path

import torch

from server.training.paper.fusion_tokens import Example
from server.training.paper.mead3d import Mead3DClip


def random_example(seed, frames=24, subject="M003", emotion="0"):
    """A clip of a model at the sizes of `tiny.tiny`."""
    generator = torch.Generator().manual_seed(seed)
    hidden = 16
    motion, feeling = (torch.randn(1, 2 * frames, hidden, generator=generator) for _ in range(2))
    curves = 0.3 * torch.randn(1, frames, 53, generator=generator)
    name = f"{subject}_001_{emotion}_0"
    clip = Mead3DClip(name, subject, "001", emotion, "0", Path(f"{name}.wav"), Path(f"{name}.npy"), frames)
    return Example(clip, motion, feeling, torch.randn(1, 300, generator=generator), curves)
