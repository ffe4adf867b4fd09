"""Motion prior: a VQ-VAE that knows what faces do. Trained first, on motion alone; speech then finds its codes.

LSF-Animation (arXiv 2510.21864), after van den Oord et al. 2017. B clips, F frames, K standardised channels; a frame's
latent z is `codes_per_frame` vectors of `code_size` side by side.

Long audio is decoded in windows, so nothing here may depend on a frame's place in its window: attention has rotary
positions (distances only) and, unless the span is 0, reaches no further than `prior_span` frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LSFConfig
from .layers import ConvEmbedding, TransformerLayer, attention_mask


@dataclass
class Quantised:
    latent: Tensor  # (B, F, L) chosen codes; gradients pass straight through to z
    codes: Tensor  # (B, F, S, codes_per_frame) indices; S = 1 + residual_stages
    loss: Tensor  # () commitment: how far z is from its codes


class Quantiser(nn.Module):
    """Codebooks learned as running means of what chooses them; codes that nothing chooses are reseeded.

    Running means rather than gradients: they need no learning rate of their own, and dead codes show in their counts.
    """

    # A code that is chosen less often than DEAD (running count per update) is reseeded. New ones begin just above it:
    # while the encoder still moves, codes left behind are taken back after some seventy updates.
    DECAY, DEAD, NEW = 0.99, 0.03, 0.06

    def __init__(self, config: LSFConfig):
        super().__init__()
        self.size, self.slots, self.commitment = config.code_size, config.codes_per_frame, config.commitment
        stages = 1 + config.residual_stages
        self.register_buffer("codebook", torch.randn(stages, config.codes, config.code_size))
        self.register_buffer("counts", torch.zeros(stages, config.codes))  # all zero: nothing was learned yet
        self.register_buffer("sums", torch.zeros(stages, config.codes, config.code_size))

    def forward(
        self,
        z: Tensor,
        mask: Tensor | None = None,
        temperature: float = 0.0,
        noise: Tensor | None = None,
        learn: bool = False,
    ) -> Quantised:
        """Z (B, F, L) -> its codes. With a temperature, a code's chance is softmax(−distance / temperature), drawn with
        `noise` (F, S, slots, codes) from a Gumbel distribution; each stage codes what the one before left over.
        Distances are squared, in units of the codebook's spacing: a temperature means the same for every codebook.
        """
        rest = z.detach().unflatten(-1, (self.slots, self.size))
        total, chosen = torch.zeros_like(rest), []
        for stage in range(len(self.codebook)):
            if learn and not self.counts[stage].any():
                self.seed(stage, rest, mask)
            book = self.codebook[stage]
            score = 2 * rest @ book.T - book.square().sum(-1)  # −squared distance + |rest|², the same for all codes
            if temperature > 0 and noise is not None:
                score = score / (temperature * spacing(book)) + noise[:, stage]
            codes = score.argmax(-1)  # (B, F, slots)
            if learn:
                self.learn(stage, rest, codes, mask)
            chosen.append(codes)
            picked = book[codes]
            rest, total = rest - picked, total + picked
        latent = total.flatten(-2)
        own = slice(None) if mask is None else mask
        loss = self.commitment * F.mse_loss(z[own], latent[own])
        return Quantised(z + (latent - z).detach(), torch.stack(chosen, 2), loss)

    def look_up(self, codes: Tensor) -> Tensor:
        """Indices (B, F, S, slots) -> latent (B, F, L)."""
        return sum(self.codebook[stage][codes[:, :, stage]] for stage in range(len(self.codebook))).flatten(-2)

    @torch.no_grad()
    def seed(self, stage: int, rest: Tensor, mask: Tensor | None) -> None:
        """Begin a codebook with vectors out of the first batch."""
        vectors = (rest if mask is None else rest[mask]).reshape(-1, self.size)
        self.codebook[stage] = draw(vectors, len(self.codebook[stage]))
        self.counts[stage] = self.NEW
        self.sums[stage] = self.NEW * self.codebook[stage]

    @torch.no_grad()
    def learn(self, stage: int, rest: Tensor, codes: Tensor, mask: Tensor | None) -> None:
        if mask is not None:
            rest, codes = rest[mask], codes[mask]
        vectors, codes = rest.reshape(-1, self.size), codes.reshape(-1)
        count, total = self.counts[stage], self.sums[stage]
        count.mul_(self.DECAY).index_add_(0, codes, torch.full_like(codes, 1 - self.DECAY, dtype=count.dtype))
        total.mul_(self.DECAY).index_add_(0, codes, vectors * (1 - self.DECAY))
        dead = count < self.DEAD
        if dead.any():
            count[dead] = self.NEW
            total[dead] = self.NEW * draw(vectors, int(dead.sum()))
        self.codebook[stage] = total / count[:, None]


def spacing(book: Tensor) -> Tensor:
    """Median squared distance of a code (N, C) to the code nearest to it, ()."""
    return torch.cdist(book, book).fill_diagonal_(float("inf")).min(-1).values.square().median()


def draw(vectors: Tensor, count: int) -> Tensor:
    """`count` random rows of `vectors` (N, C), with a little noise so that repeated rows can part."""
    rows = torch.randint(len(vectors), (count,), device=vectors.device)
    return vectors[rows] + 0.01 * vectors.std() * torch.randn(count, vectors.shape[1], device=vectors.device)


def take_noise(config: LSFConfig, seed: int, first: int, frames: int) -> Tensor:
    """Gumbel noise (F, S, codes_per_frame, codes) for frames first … first + frames - 1 of a clip.

    It is a function of seed and absolute frame alone (a counter-based generator), so overlapping windows of a long clip
    agree. `take_smoothing` blends each frame's underlying Gaussian with its neighbours' and keeps its variance: every
    single choice keeps its chances, but neighbouring frames tend to choose alike, so a take differs without jitter.
    """
    shape = (1 + config.residual_stages, config.codes_per_frame, config.codes)
    reach = int(np.ceil(3 * config.take_smoothing))
    # The frame is counted in a word of its own (offset: counters are unsigned), far beyond what one frame draws.
    base = 1 << 32
    gaussian = np.stack(
        [
            np.random.Generator(
                np.random.Philox(key=seed % (1 << 64), counter=[0, base + frame, 0, 0])
            ).standard_normal(shape, dtype=np.float32)
            for frame in range(first - reach, first + frames + reach)
        ]
    )
    if reach:
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / config.take_smoothing) ** 2)
        kernel = (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)
        gaussian = sum(weight * gaussian[at : at + frames] for at, weight in enumerate(kernel))
    uniform = torch.special.ndtr(torch.from_numpy(gaussian).double()).clamp(1e-12, 1 - 1e-12)
    return -torch.log(-torch.log(uniform)).float()


class Transformer(nn.Module):
    """Conv embedding, then transformer layers with relative positions: (B, F, C) -> same."""

    def __init__(self, config: LSFConfig):
        super().__init__()
        width = config.prior_width
        self.embed = ConvEmbedding(width, config.kernel, config.prior_norm)
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.prior_heads, config.prior_mlp, config.dropout, rotary=True)
            for _ in range(config.prior_layers)
        )
        self.span = config.prior_span

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embed(x, mask)
        allowed = attention_mask(mask, x.shape[1], self.span, device=x.device)
        for layer in self.layers:
            x = layer(x, allowed)
        return x


class MotionPrior(nn.Module):
    """Encoder, quantiser and decoder of standardised motion (B, F, K)."""

    def __init__(self, config: LSFConfig):
        super().__init__()
        width = config.prior_width
        self.into = nn.Sequential(nn.Linear(len(config.channels), width), nn.LeakyReLU(0.2))
        self.encoder = Transformer(config)
        self.to_latent = nn.Identity() if width == config.latent else nn.Linear(width, config.latent)
        self.quantiser = Quantiser(config)
        self.from_latent = nn.Identity() if width == config.latent else nn.Linear(config.latent, width)
        self.decoder = Transformer(config)
        self.out = nn.Linear(width, len(config.channels))

    def encode(self, motion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Standardised motion (B, F, K) -> z (B, F, L), not yet quantised."""
        return self.to_latent(self.encoder(self.into(motion), mask))

    def decode(self, latent: Tensor, mask: Tensor | None = None) -> Tensor:
        """Latent (B, F, L) -> standardised motion (B, F, K)."""
        return self.out(self.decoder(self.from_latent(latent), mask))

    def forward(self, motion: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Quantised]:
        """There and back. While training, the codebooks learn from every call."""
        quantised = self.quantiser(self.encode(motion, mask), mask, learn=self.training)
        return self.decode(quantised.latent, mask), quantised
