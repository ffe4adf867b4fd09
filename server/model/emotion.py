"""The emotion reader: emotion over time from statistics of the backbone's features.

Words, speaker and microphone dominate the features of a speech encoder. The manner of speaking shows in their mean and
standard deviation over a few seconds (statistics pooling: Snyder et al. 2018). Directions along which neutral speakers
and recordings differ are projected out (nuisance attribute projection: Solomonoff et al. 2005), so that an unknown
voice in an unknown room is classified as neutral, and not like the training speaker with the most similar voice.
Everything here is fitted in closed form or by convex optimisation (server/training/train_emotion.py).
"""

import torch
from torch import Tensor, nn

from .layers import double

SPAN = 75  # feature frames at 50 Hz on either side from which an emotion is read: a window of 3 s
EMBEDDING = 128  # size of the emotion embedding


def statistics(features: Tensor) -> Tensor:
    """Return mean and standard deviation over time of features (..., T, C), (..., 2 · C)."""
    return torch.cat((features.mean(-2), features.std(-2, unbiased=False)), -1)


def local_statistics(features: Tensor, span: int, step: int) -> Tensor:
    """Compute `statistics` of a moving window.

    Args:
        features: (T, C).
        span: Frames on either side of a window's centre; windows are shorter at the ends.
        step: Frames from one centre to the next.

    Returns:
        (T / step, 2 · C) mean and standard deviation.
    """
    frames = len(features)
    centres = torch.arange(0, frames, step, device=features.device)
    low, high = (centres - span).clamp_min(0), (centres + span + 1).clamp_max(frames)
    # Sums of differences to the clip's mean: hidden states reach hundreds, and their squares would lose precision.
    centred = double(features - features.mean(0))
    low, high = low.to(centred.device), high.to(centred.device)
    count = (high - low)[:, None]
    sums = torch.stack((centred, centred.square())).cumsum(1)
    sums = torch.cat((sums.new_zeros(2, 1, sums.shape[2]), sums), 1)
    mean, square = (sums[:, high] - sums[:, low]) / count
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    mean, deviation = (x.float().to(features.device) for x in (mean, deviation))
    return torch.cat((mean + features.mean(0), deviation), 1)


class EmotionReader(nn.Module):
    """Reads an emotion embedding and class logits from the emotion features of a clip."""

    mean: Tensor
    projection: Tensor

    def __init__(self, size: int, emotions: int):
        """Make a reader that is not yet fitted.

        Args:
            size: C, channels of the features.
            emotions: E, number of classes.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * size))
        self.register_buffer("projection", torch.zeros(2 * size, EMBEDDING))  # of the differences to the mean
        self.head = nn.Linear(EMBEDDING, emotions).requires_grad_(False)  # fitted separately from the predictor

    def forward(self, features: Tensor, frame_stack: int) -> tuple[Tensor, Tensor]:
        """Read a clip.

        Args:
            features: (T, C) emotion features at 50 Hz, not standardised.
            frame_stack: Feature frames of one motion frame.

        Returns:
            Embedding (F, EMBEDDING) and logits (F, E), F = T / frame_stack.
        """
        embedding = (local_statistics(features, SPAN, frame_stack) - self.mean) @ self.projection
        return embedding, self.head(embedding)
