"""What the voice implies: emotion over time, read off the statistics of what the backbone hears.

Which sounds are said, who says them and into which microphone fill most of a speech encoder's features; how they are
said shows in their mean and spread over a few seconds (statistics pooling: Snyder et al. 2018). Directions along which
neutral speakers and recordings differ among each other are projected out (nuisance attribute projection: Solomonoff
et al. 2005), so that an unknown voice in an unknown room reads as neutral, not as whoever in the training set sounds
like it. Everything here is fitted in closed form or by convex optimisation (server/training/train_emotion.py).
"""

import torch
from torch import Tensor, nn

SPAN = 75  # feature frames at 50 Hz to either side that an emotion is read from: 3 s in all
EMBEDDING = 128


def statistics(features: Tensor) -> Tensor:
    """Mean and standard deviation over time: (..., T, C) -> (..., 2 · C)."""
    return torch.cat((features.mean(-2), features.std(-2, unbiased=False)), -1)


def local_statistics(features: Tensor, span: int, step: int) -> Tensor:
    """`statistics` of the frames within `span` of every `step`-th frame: (T, C) -> (T / step, 2 · C)."""
    frames = len(features)
    centres = torch.arange(0, frames, step, device=features.device)
    low, high = (centres - span).clamp_min(0), (centres + span + 1).clamp_max(frames)
    # Sums of differences to the window's mean: squares of hidden states that are hundreds do not cancel.
    centred = (features - features.mean(0)).double()
    count = (high - low)[:, None]
    sums = torch.stack((centred, centred.square())).cumsum(1)
    sums = torch.cat((sums.new_zeros(2, 1, sums.shape[2]), sums), 1)
    mean, square = (sums[:, high] - sums[:, low]) / count
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    return torch.cat((mean.float() + features.mean(0), deviation.float()), 1)


class EmotionReader(nn.Module):
    """Emotion features (T, C) of a clip -> embedding (F, EMBEDDING) and class logits (F, emotions), F = T / fold."""

    def __init__(self, size: int, emotions: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * size))
        self.register_buffer("projection", torch.zeros(2 * size, EMBEDDING))  # of the differences to the mean
        self.head = nn.Linear(EMBEDDING, emotions).requires_grad_(False)  # fitted apart from the predictor

    def forward(self, features: Tensor, fold: int) -> tuple[Tensor, Tensor]:
        embedding = (local_statistics(features, SPAN, fold) - self.mean) @ self.projection
        return embedding, self.head(embedding)
