"""Hidden states of one layer of the frozen encoder at 25 fps, from which the teachers (teachers.py) predict.

WORK/states/CORPUS.npz holds one (F, hidden) float16 array per clip name. They are computed once.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...files.audio import load_16k
from ...model import LSF
from ...numerics import FloatArray
from .. import corpora, features

# The layer from which a linear regression on one face follows other faces best.
LAYER = 3


@torch.inference_mode()
def encode(model: LSF, audio: FloatArray) -> FloatArray:
    """Return the states of LAYER, mean of the frame_stack states of each motion frame.

    Args:
        model: A model whose motion features contain LAYER. Its feature norms are not used.
        audio: (N,) speech at 16 kHz. Pieces of it are encoded at a time if it is long.

    Returns:
        (F, hidden) float16 at 25 fps.
    """
    samples = torch.from_numpy(np.asarray(audio, np.float32))
    stack, hidden = model.config.frame_stack, model.config.motion_backbone.hidden
    first_column = model.config.motion_layers.index(LAYER) * hidden
    frames, statistics = model.frame_count(len(samples)), model.clip_statistics(samples)
    pieces = []
    for first in range(0, frames, features.MAX_SEGMENT_FRAMES):
        motion, _ = model.encode_audio(samples, first, min(features.MAX_SEGMENT_FRAMES, frames - first), statistics)
        states = motion[:, first_column : first_column + hidden]
        pieces.append(states.reshape(-1, stack, hidden).mean(1))
    result: FloatArray = torch.cat(pieces).half().numpy()
    return result


def load(work: Path, corpus: str, clips: list[corpora.Clip], model: LSF) -> dict[str, FloatArray]:
    """Return the states (F, hidden) of every clip of a corpus by name; compute those that WORK lacks and keep them.

    Args:
        work: Folder of the computed files.
        corpus: Name of the corpus.
        clips: Its clips.
        model: The encoder.
    """
    path = work / "states" / f"{corpus}.npz"
    states: dict[str, FloatArray] = dict(np.load(path)) if path.exists() else {}
    missing = [clip for clip in clips if clip.name not in states]
    if missing:
        states |= {clip.name: encode(model, load_16k(clip.audio)) for clip in missing}
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = dict(states)  # Any: savez has keyword arguments of other types
        np.savez(path, **arrays)
    return states
