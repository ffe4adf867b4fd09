"""What the speech backbones share.

A backbone turns a clip at 16 kHz into hidden states of its layers at 50 Hz. Any part of a clip can be encoded
separately, so that a long clip is processed in windows. `clip_statistics` measures once what depends on the whole clip
(its loudness), in pieces, with constant memory. Frame i of the output is centred within 10 ms of i / 50 s. A clip that
is shorter than the requested frames is padded with silence. Nothing is downloaded: weights are random until a
checkpoint or a `load_` method sets them.
"""

import torch.nn.functional as F
from torch import Tensor

from ..files.audio import SAMPLE_RATE
from .config import FEATURE_RATE

HOP_LENGTH = SAMPLE_RATE // FEATURE_RATE  # samples of one feature frame
STATISTICS_PIECE = 60 * SAMPLE_RATE  # samples that `clip_statistics` processes at a time


def padded_slice(audio: Tensor, first: int, last: int) -> Tensor:
    """Return audio[first:last] of a clip (N,), with zeros where the clip has no samples; `first` may be negative."""
    inside = audio[max(first, 0) : max(last, 0)]
    before = min(max(-first, 0), last - first)
    return F.pad(inside, (before, last - first - before - len(inside)))
