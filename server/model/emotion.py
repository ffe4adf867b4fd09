"""The emotion reader: emotion over time from statistics of the backbone's features.

Words, speaker and microphone dominate the features of a speech encoder. The manner of speaking shows in their mean and
standard deviation over a few seconds (statistics pooling: Snyder et al. 2018), taken over the frames in which somebody
speaks. Directions along which neutral speakers and recordings differ are scaled down (within-class covariance
normalisation: Hatch et al. 2006), so that an unknown voice in an unknown room is classified as neutral, and not like
the training speaker with the most similar voice. What remains of voice and room goes if the statistics are compared
with those of other lines of the same speaker (`own_mean`). Everything here is fitted in closed form or by convex
optimisation (server/training/train_emotion.py).
"""

import torch
from torch import Tensor, nn

from ..protocol.emotions import EMOTIONS

CENTRES = 64  # of moving windows computed at a time: work grows with their distance, and with their number
SPAN = 75  # feature frames at 50 Hz on either side from which an emotion is read: a window of 3 s
EMBEDDING = 128  # size of the emotion embedding
MIN_SPOKEN = 1e-3  # weight of a frame without speech; where nobody speaks at all, all frames count alike
# The more lines of a speaker are known, the more their mean counts: lines / (lines + OWN_MEAN_LINES). Chosen with 3, 6
# and 30 lines of people left out: with 0, the mean of few lines takes their emotion away; with 8, more lines are wrong.
OWN_MEAN_LINES = 3.0
MIN_OWN_LINES = 3  # fewer lines are no average: their mean is what they say, not how the voice is
WHOLE_LINE_SECONDS = 2.0  # of speech; a line with less counts as a part of one


def statistics(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return mean and standard deviation over time of features (T, C), weighted by `weights` (T,): (2 · C,)."""
    if weights is None:
        weights = features.new_ones(features.shape[:-1])
    weights = (weights / weights.sum())[:, None]
    mean = (weights * features).sum(0)
    return torch.cat((mean, (weights * (features - mean).square()).sum(0).sqrt()))


def local_statistics(features: Tensor, weights: Tensor, span: int, step: int) -> Tensor:
    """Compute `statistics` of a moving window.

    Args:
        features: (T, C).
        weights: (T,) weights of the frames, above 0.
        span: Frames on either side of a window's centre; windows are shorter at the ends.
        step: Frames from one centre to the next.

    Returns:
        (T / step, 2 · C) mean and standard deviation.
    """
    average = features.mean(0)  # hidden states reach hundreds: the squares of differences to it lose no precision
    frames = torch.arange(len(features), device=features.device)
    parts = []
    for first in range(0, len(features), step * CENTRES):
        last = min(first + step * CENTRES, len(features))
        seen = slice(max(first - span, 0), last + span)  # frames that the windows of these centres reach
        shares = weights[seen] * ((frames[first:last:step, None] - frames[seen]).abs() <= span)
        shares = shares / shares.sum(1, keepdim=True)
        centred = features[seen] - average
        mean = shares @ centred
        deviation = (shares @ centred.square() - mean.square()).clamp_min(0).sqrt()
        parts.append(torch.cat((mean + average, deviation), 1))
    return torch.cat(parts)


class EmotionReader(nn.Module):
    """Reads an emotion embedding and class logits from the emotion features of a clip."""

    mean: Tensor
    projection: Tensor
    speech: Tensor
    bank: Tensor

    def __init__(self, size: int, emotions: int):
        """Make a reader that is not yet fitted.

        Args:
            size: C, channels of the features.
            emotions: E, number of classes.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * size))
        self.register_buffer("projection", torch.zeros(2 * size, EMBEDDING))  # of the differences to the mean
        self.register_buffer("speech", torch.zeros(size + 1))  # weights and bias of a logistic regression for speech
        self.register_buffer("bank", torch.zeros(len(EMOTIONS), EMBEDDING))  # a place for each of EMOTIONS
        self.head = nn.Linear(EMBEDDING, emotions).requires_grad_(False)  # fitted separately from the predictor

    def spoken(self, features: Tensor) -> Tensor:
        """Return how likely somebody speaks in each frame of features (T, C): (T,), MIN_SPOKEN to 1."""
        return (features @ self.speech[:-1] + self.speech[-1]).sigmoid() * (1 - MIN_SPOKEN) + MIN_SPOKEN

    def voice_statistics(self, features: Tensor) -> Tensor:
        """Return what a line (T, C) contributes to `own_mean`: `statistics` (2 · C,) of its spoken part."""
        return statistics(features, self.spoken(features))

    def own_mean(self, lines: Tensor, seconds: Tensor) -> Tensor | None:
        """Return the mean of a speaker's lines, drawn towards the mean of all voices where few lines are known.

        Args:
            lines: (n, 2 · C) `voice_statistics` of each line, the one that is to be read included.
            seconds: (n,) spoken seconds of each. A line with less than WHOLE_LINE_SECONDS counts as a part of one.

        Returns:
            (2 · C,), or None if the lines count for less than MIN_OWN_LINES.
        """
        weights = (seconds / WHOLE_LINE_SECONDS).clamp(0, 1)
        count = float(weights.sum())
        if count < MIN_OWN_LINES:
            return None
        mean = (weights[:, None] * lines).sum(0) / count
        return self.mean + count / (count + OWN_MEAN_LINES) * (mean - self.mean)

    def forward(self, features: Tensor, frame_stack: int, own_mean: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read a clip.

        Args:
            features: (T, C) emotion features at 50 Hz, not standardised.
            frame_stack: Feature frames of one motion frame.
            own_mean: (2 · C,) result of `own_mean` for lines of the same speaker; None if they are not known.

        Returns:
            Embedding (F, EMBEDDING) and logits (F, E), F = T / frame_stack.
        """
        local = local_statistics(features, self.spoken(features), SPAN, frame_stack)
        embedding = (local - (self.mean if own_mean is None else own_mean)) @ self.projection
        return embedding, self.head(embedding)
