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


class StreamEmbedding(nn.Module):
    """Embeds stacked features (B, F, frame_stack · C) as a stream (B, F, width)."""

    def __init__(self, size: int, width: int, kernel: int, norm: str):
        """Make the layers.

        Args:
            size: frame_stack · C.
            width: Width of the stream.
            kernel: Frames of the convolution.
            norm: "instance" or "layer".
        """
        super().__init__()
        self.width = width
        self.linear = nn.Linear(size, width)
        self.embed = ConvEmbedding(width, kernel, norm)

    def forward(self, stacked: Tensor, mask: Tensor | None, positions: Tensor) -> Tensor:
        """Embed features.

        Args:
            stacked: (B, F, frame_stack · C).
            mask: (B, F) true on valid frames.
            positions: (B or 1, F) positions of the frames in their clips.

        Returns:
            (B, F, width), with positions added.
        """
        embedded: Tensor = self.embed(self.linear(stacked), mask) + sinusoids(positions, self.width)
        return embedded


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
        self.motion = StreamEmbedding(motion_size, config.width, config.kernel, config.stream_norm)
        self.emotion = StreamEmbedding(emotion_size, config.width, config.kernel, config.stream_norm)
        widths = (config.width, config.direct_width) if config.direct_path else (config.width,)
        self.identity = IdentityEmbedding(config.identity_size, config.identity_styles, widths)

    def gains(self, identity: Tensor) -> list[Tensor]:
        """Return the gains (B, 1, width) of the streams and, if there is a direct path, its gain (B, 1, direct_width).

        Args:
            identity: (B, I) identity coefficients.
        """
        return [gain[:, None] for gain in self.identity(identity)]

    def forward(
        self, motion: Tensor, emotion: Tensor, gain: Tensor, mask: Tensor | None = None, first: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            motion: (B, F, frame_stack · Cm) motion features.
            emotion: (n · B, F, emotion_size) emotion features or places: n for each clip, first one of each clip.
            gain: (B or 1, 1, width) gain of the streams, of `gains`.
            mask: (B, F) true on valid frames.
            first: Position of the first frame in its clip.

        Returns:
            Emotion stream and motion stream (n · B, F, width).
        """
        clips, frames = motion.shape[:2]
        # Positions count from the start of the clip, so that overlapping windows agree. The model is trained on clips
        # of three seconds and runs on minutes: while training, clips start at random positions.
        start = torch.full((1, 1), first % POSITION_CYCLE, device=motion.device)
        if self.training:
            start = torch.randint(max(1, TRAINED_POSITIONS - frames), (clips, 1), device=motion.device)
        positions = torch.arange(frames, device=motion.device)[None] + start
        several = len(emotion) // clips
        motion_stream = (self.motion(motion, mask, positions) * gain).repeat(several, 1, 1)

        def repeated(x: Tensor) -> Tensor:
            return x if len(x) == 1 else x.repeat(several, *[1] * (x.dim() - 1))

        emotion_mask = None if mask is None else repeated(mask)
        return self.emotion(emotion, emotion_mask, repeated(positions)) * repeated(gain), motion_stream
