"""SIE-Encoder: speech features and a face's identity become the motion and the emotion stream.

LSF-Animation (arXiv 2510.21864): neither emotion nor speaker is labelled; the first is heard, the second is read off
the neutral mesh. B clips, F motion frames, T = fold · F feature frames.
"""

import torch
from torch import Tensor, nn

from .config import LSFConfig
from .layers import ConvEmbedding, sinusoids

LONGEST = 2000  # positions that training sees
WRAP = 1500  # a window that begins this many frames into its clip, or twice as many …, counts from 0 again


class FeatureNorm(nn.Module):
    """Standardises backbone features and projects them on principal components: (B, T, C) -> (B, T, components).

    Hidden states of speech encoders have a few channels a hundred times louder than the rest. `fit` sets the buffers
    from training data; as made, the features pass unchanged (with components, their first ones).
    """

    def __init__(self, size: int, components: int, noise: float):
        super().__init__()
        self.noise = noise
        self.size = components or size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("projection", torch.eye(size, components) if components else None)

    @torch.no_grad()
    def fit(self, features: Tensor, whiten: bool = True) -> None:
        """Set the buffers from features (N, C). Whitened components have unit variance each; otherwise they
        keep their proportions and the largest has unit variance.
        """
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp_min(1e-5))
        if self.projection is None:
            return
        correlation = 0
        for part in features.split(1 << 14):
            x = ((part - self.mean) / self.scale).double()
            correlation = correlation + x.T @ x / len(features)
        values, vectors = torch.linalg.eigh(correlation)  # ascending
        values, vectors = values.flip(0)[: self.size], vectors.flip(1)[:, : self.size]
        deviation = values.clamp_min(1e-8).sqrt()
        self.projection.copy_(vectors / (deviation if whiten else deviation[0]))

    def forward(self, features: Tensor) -> Tensor:
        x = (features - self.mean) / self.scale
        if self.projection is not None:
            x = x @ self.projection
        return x + self.noise * torch.randn_like(x) if self.training and self.noise else x


class StreamEmbedding(nn.Module):
    """Folded features (B, F, fold · C) -> stream (B, F, width)."""

    def __init__(self, size: int, width: int, kernel: int, norm: str):
        super().__init__()
        self.width = width
        self.linear = nn.Linear(size, width)
        self.embed = ConvEmbedding(width, kernel, norm)

    def forward(self, folded: Tensor, mask: Tensor | None, first: int = 0) -> Tensor:
        x = self.embed(self.linear(folded), mask)
        # Positions count from the clip's beginning, so that overlapping windows agree. Clips of three seconds train a
        # model that hears minutes: there they start at random, so that all of them are known.
        frames, start = x.shape[1], first % WRAP
        if self.training:
            start = torch.randint(max(1, LONGEST - frames), (len(x), 1), device=x.device)
        positions = torch.arange(frames, device=x.device)[None] + start
        return x + sinusoids(positions, self.width)


class IdentityEmbedding(nn.Module):
    """Identity coefficients of the neutral mesh (B, I) -> what a stream is multiplied with (B, width), for each of
    `widths`.
    """

    def __init__(self, size: int, styles: int, widths: tuple[int, ...]):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(size, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, styles), nn.Softmax(-1)
        )
        self.project = nn.ModuleList(nn.Linear(styles, width, bias=False) for width in widths)
        for project in self.project:
            # The softmax sums to one, so weights about one begin with streams that are left as they are.
            nn.init.normal_(project.weight, 1.0, 0.02)

    def forward(self, identity: Tensor) -> list[Tensor]:
        style = self.mlp(identity)
        return [project(style) for project in self.project]


class SIEEncoder(nn.Module):
    """(motion features (B, F, fold · Cm), emotion features (B, F, fold · Ce), identity (B, I)), all standardised
    -> emotion stream and motion stream (B, F, width) and, if there is a direct path, what it is multiplied with (B, 1,
    direct_width). `first` is the place of the first frame in its clip.
    """

    def __init__(self, config: LSFConfig, motion_size: int, emotion_size: int):
        super().__init__()
        self.motion = StreamEmbedding(motion_size, config.width, config.kernel, config.stream_norm)
        self.emotion = StreamEmbedding(emotion_size, config.width, config.kernel, config.stream_norm)
        widths = (config.width, config.direct_width) if config.direct_path else (config.width,)
        self.identity = IdentityEmbedding(config.identity_size, config.identity_styles, widths)

    def forward(self, motion: Tensor, emotion: Tensor, identity: Tensor, mask: Tensor | None = None, first: int = 0):
        streams, *direct = (who[:, None] for who in self.identity(identity))
        return self.emotion(emotion, mask, first) * streams, self.motion(motion, mask, first) * streams, *direct
