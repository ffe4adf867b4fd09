"""Motion prior: a VQ-VAE of facial motion. It is trained first, on motion alone; speech then predicts its codes.

LSF-Animation (arXiv 2510.21864), after van den Oord et al. 2017. B clips, F frames, K standardised channels; the latent
z of a frame is the concatenation of `codes_per_frame` vectors of `code_size`, of length L; S = 1 + residual_stages
codebooks.

Long audio is decoded in windows, so nothing here may depend on the position of a frame in its window: attention has
rotary positions (distances only) and, unless the span is 0, spans at most `prior_span` frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .config import LSFConfig
from .layers import ConvEmbedding, TransformerLayer, attention_mask


@dataclass
class Quantised:
    """The codes of a batch of latents."""

    latent: Tensor  # (B, F, L) vectors of the chosen codes; gradients pass straight through to z
    codes: Tensor  # (B, F, S, codes_per_frame) indices
    loss: Tensor  # () commitment loss: mean squared distance of z to its codes, weighted


class Quantiser(nn.Module):
    """Residual vector quantiser; codebooks are exponential moving averages of the vectors assigned to them.

    Averages have two advantages over gradients: they need no learning rate, and their counts show unused codes.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor

    # A code whose average count per update falls below MIN_COUNT is replaced and gets INITIAL_COUNT. While it stays
    # unused, its count falls to MIN_COUNT again within seventy updates.
    DECAY, MIN_COUNT, INITIAL_COUNT = 0.99, 0.03, 0.06

    def __init__(self, config: LSFConfig):
        super().__init__()
        self.size, self.slots, self.commitment = config.code_size, config.codes_per_frame, config.commitment
        stages = 1 + config.residual_stages
        self.register_buffer("codebook", nn.init.normal_(torch.empty(stages, config.codes, config.code_size)))
        self.register_buffer("counts", torch.zeros(stages, config.codes))  # all zero: not initialised yet
        self.register_buffer("sums", torch.zeros(stages, config.codes, config.code_size))

    def forward(
        self,
        z: Tensor,
        mask: Tensor | None = None,
        temperature: float = 0.0,
        noise: Tensor | None = None,
        learn: bool = False,
    ) -> Quantised:
        """Quantise latents; each stage codes the residual of the one before.

        With a temperature, a code's probability is softmax(−distance / temperature), sampled by the Gumbel-max trick.
        Distances are squared, in units of the codebook's spacing: a temperature means the same for every codebook.

        Args:
            z: (B, F, L).
            mask: (B, F) true on valid frames.
            temperature: 0 chooses the nearest code.
            noise: (F, S, codes_per_frame, codes) Gumbel noise, see `take_noise`.
            learn: Whether the codebooks learn from this call.

        Returns:
            The codes and their vectors.
        """
        residual = _slots(z.detach(), self.slots)
        total, chosen = torch.zeros_like(residual), []
        for stage in range(len(self.codebook)):
            if learn and not self.counts[stage].any():
                self._initialise(stage, residual, mask)
            codebook = self.codebook[stage]
            # −squared distance + |residual|², which is the same for all codes.
            score = 2 * residual @ codebook.T - codebook.square().sum(-1)
            if temperature > 0 and noise is not None:
                score = score / (temperature * spacing(codebook)) + noise[:, stage]
            codes = score.argmax(-1)  # (B, F, slots)
            if learn:
                self._update(stage, residual, codes, mask)
            chosen.append(codes)
            vectors = codebook[codes]
            residual, total = residual - vectors, total + vectors
        latent = total.flatten(-2)
        valid = slice(None) if mask is None else mask
        loss = self.commitment * F.mse_loss(z[valid], latent[valid])
        return Quantised(z + (latent - z).detach(), torch.stack(chosen, 2), loss)

    @torch.no_grad()
    def _initialise(self, stage: int, residual: Tensor, mask: Tensor | None) -> None:
        """Initialise a codebook with vectors of the first batch.

        Args:
            stage: Index of the codebook.
            residual: (B, F, codes_per_frame, code_size).
            mask: (B, F) true on valid frames.
        """
        vectors = (residual if mask is None else residual[mask]).reshape(-1, self.size)
        self.codebook[stage] = random_rows(vectors, len(self.codebook[stage]))
        self.counts[stage] = self.INITIAL_COUNT
        self.sums[stage] = self.INITIAL_COUNT * self.codebook[stage]

    @torch.no_grad()
    def _update(self, stage: int, residual: Tensor, codes: Tensor, mask: Tensor | None) -> None:
        """Update the moving averages of a codebook and replace its unused codes.

        Args:
            stage: Index of the codebook.
            residual: (B, F, codes_per_frame, code_size).
            codes: (B, F, codes_per_frame) chosen indices.
            mask: (B, F) true on valid frames.
        """
        if mask is not None:
            residual, codes = residual[mask], codes[mask]
        vectors, codes = residual.reshape(-1, self.size), codes.reshape(-1)
        count, total = self.counts[stage], self.sums[stage]
        count.mul_(self.DECAY).index_add_(0, codes, torch.full_like(codes, 1 - self.DECAY, dtype=count.dtype))
        total.mul_(self.DECAY).index_add_(0, codes, vectors * (1 - self.DECAY))
        unused = count < self.MIN_COUNT
        if unused.any():
            count[unused] = self.INITIAL_COUNT
            total[unused] = self.INITIAL_COUNT * random_rows(vectors, int(unused.sum()))
        self.codebook[stage] = total / count[:, None]


def _slots(z: Tensor, slots: int) -> Tensor:
    """Split latents (B, F, L) into the vectors of their codes (B, F, slots, L / slots)."""
    return z.reshape(*z.shape[:-1], slots, -1)


def spacing(codebook: Tensor) -> Tensor:
    """Return the median over codes (N, C) of the squared distance to the nearest other code, ()."""
    return torch.cdist(codebook, codebook).fill_diagonal_(float("inf")).min(-1).values.square().median()


def random_rows(vectors: Tensor, count: int) -> Tensor:
    """Return `count` random rows of `vectors` (N, C), with a little noise so that repeated rows can separate."""
    rows = torch.randint(len(vectors), (count,), device=vectors.device)
    return vectors[rows] + 0.01 * vectors.std() * torch.randn(count, vectors.shape[1], device=vectors.device)


def take_noise(config: LSFConfig, seed: int, first: int, frames: int) -> Tensor:
    """Make the Gumbel noise of a window of a take.

    It depends on the seed and the absolute frame only (a counter-based generator), so overlapping windows of a long
    clip agree. `take_smoothing` averages the underlying Gaussian over neighbouring frames and keeps its variance: the
    probabilities of a frame's codes do not change, but neighbouring frames tend to choose the same codes, which avoids
    jitter.

    Args:
        config: The configuration.
        seed: Selects the take.
        first: First frame of the window in its clip.
        frames: F, frames of the window.

    Returns:
        (F, S, codes_per_frame, codes) float32.
    """
    reach = int(np.ceil(3 * config.take_smoothing))
    gaussian = _gaussian_frames(config, seed, first - reach, first + frames + reach)
    if reach:
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / config.take_smoothing) ** 2)
        kernel = (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)
        smooth = np.zeros_like(gaussian[:frames])
        for at, weight in enumerate(kernel):
            smooth += weight * gaussian[at : at + frames]
        gaussian = smooth
    uniform = torch.special.ndtr(torch.from_numpy(gaussian).double()).clamp(1e-12, 1 - 1e-12)
    return -torch.log(-torch.log(uniform)).float()


def _gaussian_frames(config: LSFConfig, seed: int, first: int, end: int) -> NDArray[np.float32]:
    """Gaussian noise (end − first, S, codes_per_frame, codes), each frame with a generator of its own."""
    shape = (1 + config.residual_stages, config.codes_per_frame, config.codes)
    # The frame is counted in a word of its own (offset: counters are unsigned), far beyond what one frame draws.
    base = 1 << 32
    generators = [
        np.random.Generator(np.random.Philox(key=seed % (1 << 64), counter=[0, base + frame, 0, 0]))
        for frame in range(first, end)
    ]
    return np.stack([generator.standard_normal(shape, dtype=np.float32) for generator in generators])


class Transformer(nn.Module):
    """Convolutional embedding, then transformer layers with relative positions: (B, F, C) -> same."""

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
        """Transform x (B, F, C) with `mask` (B, F)."""
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
        """Encode standardised motion (B, F, K) as z (B, F, L), not quantised; `mask` (B, F) is true on valid frames."""
        z: Tensor = self.to_latent(self.encoder(self.into(motion), mask))
        return z

    def decode(self, latent: Tensor, mask: Tensor | None = None) -> Tensor:
        """Decode latents (B, F, L) to standardised motion (B, F, K); `mask` (B, F) is true on valid frames."""
        motion: Tensor = self.out(self.decoder(self.from_latent(latent), mask))
        return motion

    def forward(self, motion: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Quantised]:
        """Reconstruct standardised motion (B, F, K). In training mode, the codebooks learn from every call."""
        quantised = self.quantiser(self.encode(motion, mask), mask, learn=self.training)
        return self.decode(quantised.latent, mask), quantised
