"""SIE-Encoder: computes the motion and the emotion stream from speech features and the identity of a face.

LSF-Animation (arXiv 2510.21864): neither emotion nor speaker is labelled. Emotion is encoded from speech, identity
from the neutral mesh. With an emotion bank, the emotion stream is made of a place in the space of the emotion reader
instead (`LSFConfig.emotion_bank`). B clips, F motion frames, T = frame_stack · F feature frames.
"""

import torch
from torch import Tensor, nn

from .config import LSFConfig
from .layers import ConvEmbedding, sinusoids

TRAINED_POSITIONS = 2000  # training clips start at a random position, so that all of these are known
POSITION_CYCLE = 1500  # frames after which the positions of windows start again at 0; the rest is room for a window
IDENTITY_WIDTHS = 256, 128  # hidden layers of the identity MLP
MIN_DEVIATION = 1e-5  # least standard deviation of a feature channel: a constant one must not be amplified


class FeatureNorm(nn.Module):
    """Standardises backbone features and projects them on principal components.

    Hidden states of speech encoders have a few channels a hundred times larger than the rest. `fit` sets the buffers
    from training data. Before that, features pass unchanged (with components: the first ones).
    """

    mean: Tensor
    scale: Tensor
    projection: Tensor | None

    def __init__(self, size: int, components: int, noise: float):
        """Make a layer that is not yet fitted.

        Args:
            size: C, channels of the features.
            components: Principal components to keep; 0 keeps all channels and does not project.
            noise: Standard deviation of the noise that is added during training.
        """
        super().__init__()
        self.noise = noise
        self.size = components or size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("projection", torch.zeros(size, components).fill_diagonal_(1) if components else None)

    @torch.no_grad()
    def fit(self, features: Tensor, whiten: bool = True) -> None:
        """Set the buffers.

        Args:
            features: (N, C) of training data.
            whiten: Whether each component gets unit variance; otherwise components keep their proportions, and the
                largest gets unit variance.
        """
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp_min(MIN_DEVIATION))
        if self.projection is None:
            return
        size = features.shape[1]
        correlation = torch.zeros(size, size, dtype=torch.float64, device=features.device)
        for part in features.split(1 << 14):
            x = ((part - self.mean) / self.scale).double()
            correlation = correlation + x.T @ x / len(features)
        values, vectors = torch.linalg.eigh(correlation)  # ascending
        values, vectors = values.flip(0)[: self.size], vectors.flip(1)[:, : self.size]
        deviation = values.clamp_min(1e-8).sqrt()
        self.projection.copy_(vectors / (deviation if whiten else deviation[0]))

    def forward(self, features: Tensor) -> Tensor:
        """Standardise features (B, T, C) and project them: (B, T, components)."""
        x = (features - self.mean) / self.scale
        if self.projection is not None:
            x = x @ self.projection
        return x + self.noise * torch.randn_like(x) if self.training and self.noise else x


class ClipPositions(nn.Module):
    """Positions of the frames in their clips, so that overlapping windows agree.

    The model is trained on clips of three seconds and runs on minutes: while training, clips start at random positions.
    """

    def forward(self, clips: int, frames: int, first: int, device: torch.device) -> Tensor:
        """Return the positions (clips or 1, frames) of a window.

        Args:
            clips: B.
            frames: F.
            first: Position of the window's first frame in its clip; not used while training.
            device: Where the result is wanted.
        """
        start = torch.full((1, 1), first % POSITION_CYCLE, device=device)
        if self.training:
            start = torch.randint(TRAINED_POSITIONS, (clips, 1), device=device)
        return torch.arange(frames, device=device)[None] + start


class WindowPositions(nn.Module):
    """Positions that begin at 0 in every window, as those of whole clips do in training."""

    def forward(self, clips: int, frames: int, first: int, device: torch.device) -> Tensor:
        """Return the positions (1, frames); arguments as of `ClipPositions`."""
        return torch.arange(frames, device=device)[None]


class StreamEmbedding(nn.Module):
    """The layers of one stream: stacked features (B, F, frame_stack · C) to `width` channels, then an embedding."""

    def __init__(self, config: LSFConfig, size: int):
        """Make the layers.

        Args:
            config: The configuration.
            size: frame_stack · C.
        """
        super().__init__()
        self.linear = nn.Linear(size, config.width)
        self.embed = ConvEmbedding(config.width, config.kernel, config.stream_norm, linear=not config.shared_linear)


class IdentityEmbedding(nn.Module):
    """Maps identity coefficients to the gains of the streams."""

    def __init__(self, size: int, styles: int, widths: tuple[int, ...]):
        """Make the layers.

        Args:
            size: I, number of coefficients.
            styles: Outputs of the softmax.
            widths: Widths of the streams that get gains.
        """
        super().__init__()
        first, second = IDENTITY_WIDTHS
        self.mlp = nn.Sequential(
            nn.Linear(size, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, styles),
            nn.Softmax(-1),
        )
        projections = [nn.Linear(styles, width, bias=False) for width in widths]
        for projection in projections:
            # The softmax sums to one, so weights about one give gains about one at the start of training.
            nn.init.normal_(projection.weight, 1.0, 0.02)
        self.project = nn.ModuleList(projections)

    def forward(self, identity: Tensor) -> list[Tensor]:
        """Map coefficients (B, I) to a gain (B, width) for each of `widths`."""
        style = self.mlp(identity)
        return [project(style) for project in self.project]


def _multiply(x: Tensor, gain: Tensor) -> Tensor:
    """Multiply x (B, F, C) by the gains (B or 1, 1, C) of an identity."""
    return x * gain


def _keep(x: Tensor, gain: Tensor) -> Tensor:
    """Return x (B, F, C): identity acts elsewhere."""
    return x


class SIEEncoder(nn.Module):
    """Encodes stacked, standardised features and identity as two streams, each multiplied by the identity's gains."""

    def __init__(self, config: LSFConfig, motion_size: int, emotion_size: int):
        """Make the encoder.

        Args:
            config: The configuration.
            motion_size: frame_stack · Cm, channels of the stacked motion features.
            emotion_size: Channels of a frame of the emotion stream's input: frame_stack · Ce, or those of a place.
        """
        super().__init__()
        self.width = config.width
        self.motion = StreamEmbedding(config, motion_size)
        self.emotion = StreamEmbedding(config, emotion_size)
        self.shared = nn.Linear(config.width, config.width) if config.shared_linear else nn.Identity()
        self.positions = ClipPositions() if config.random_positions else WindowPositions()
        self.dropout = nn.Dropout(config.position_dropout)
        widths = (config.width, config.direct_width) if config.direct_path else (config.width,)
        self.identity = IdentityEmbedding(config.identity_size, config.identity_styles, widths)
        self.early, self.late = (_multiply, _keep) if config.identity_first else (_keep, _multiply)

    def gains(self, identity: Tensor) -> list[Tensor]:
        """Return the gains (B, 1, width) of the streams and, if there is a direct path, its gain (B, 1, direct_width).

        Args:
            identity: (B, I) identity coefficients.
        """
        return [gain[:, None] for gain in self.identity(identity)]

    def _stream(
        self, layers: StreamEmbedding, stacked: Tensor, gain: Tensor, mask: Tensor | None, positions: Tensor
    ) -> Tensor:
        """Make a stream (B, F, width).

        Args:
            layers: Those of the stream.
            stacked: (B, F, size) its features; (B, 1, size) if they are the same in all frames.
            gain: (B or 1, 1, width) gain of the identity.
            mask: (B, F) true on valid frames.
            positions: (B or 1, F).
        """
        if stacked.shape[1] < positions.shape[1]:
            mask = None  # convolutions repeat the first and the last frame: what is constant stays so
        embedded = self.shared(layers.embed(self.early(layers.linear(stacked), gain), mask))
        return self.late(self.dropout(embedded + sinusoids(positions, self.width)), gain)

    def forward(
        self, motion: Tensor, emotion: Tensor, gain: Tensor, mask: Tensor | None = None, first: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            motion: (B, F, frame_stack · Cm) motion features.
            emotion: (n · B, F, emotion_size) emotion features, or (n · B, 1, emotion_size) places that hold in all
                frames: n for each clip, first one of each clip.
            gain: (B or 1, 1, width) gain of the streams, of `gains`.
            mask: (B, F) true on valid frames.
            first: Position of the first frame in its clip.

        Returns:
            Emotion stream (n · B, F, width) and motion stream (B, F, width).
        """
        clips, frames = motion.shape[:2]
        positions = self.positions(clips, frames, first, motion.device)
        several = len(emotion) // clips

        def repeated(x: Tensor) -> Tensor:
            return x if len(x) == 1 else x.repeat(several, *[1] * (x.dim() - 1))

        motion_stream = self._stream(self.motion, motion, gain, mask, positions)
        emotion_mask = None if mask is None else repeated(mask)
        return self._stream(self.emotion, emotion, repeated(gain), emotion_mask, repeated(positions)), motion_stream
