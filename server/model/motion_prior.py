"""Motion prior: a VQ-VAE of facial motion. It is trained first, on motion alone; speech then predicts its codes.

LSF-Animation (arXiv 2510.21864), after van den Oord et al. 2017. B clips, F frames, K standardised channels; the latent
z of a frame is the concatenation of `codes_per_frame` vectors of `code_size`, of length L; S = 1 + residual_stages
codebooks.

The default model decodes long audio in windows, so nothing in it depends on the position of a frame in its window:
attention has rotary positions (distances only) and spans at most `prior_span` frames. The paper's has absolute
positions and decodes whole clips.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .config import LSFConfig
from .layers import ConvEmbedding, TransformerLayer, attention_mask, double, sinusoids


@dataclass
class Quantised:
    """The codes of a batch of latents."""

    latent: Tensor  # (B, F, L) vectors of the chosen codes; gradients pass straight through to z
    codes: Tensor  # (B, F, S, codes_per_frame) indices, in the order of the layout's rows
    loss: Tensor  # () mean squared distance of z to its codes, weighted; what also teaches a trained codebook


class FrameLayout:
    """Each code is a part of one frame."""

    def __init__(self, slots: int):
        """Make the layout for `slots` codes a frame."""
        self.slots = slots

    def rows(self, z: Tensor, mask: Tensor | None) -> Tensor:
        """Cut latents (B, F, L) to the vectors of their codes (B, F, slots, L / slots)."""
        return z.reshape(*z.shape[:-1], self.slots, -1)

    def latents(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Join vectors (B, F, slots, L / slots) to latents (B, F, L)."""
        return rows.flatten(-2)


class ChannelLayout:
    """The latent of a clip, channel by channel, cut to codes: the layout of the released code of LSF-Animation.

    A code covers neighbouring frames of a few channels; which ones depends on the number of frames of the clip. So each
    clip of a batch is laid out by itself. Its F · slots rows are given in the places of F frames.
    """

    def __init__(self, slots: int):
        """Make the layout for `slots` codes a frame."""
        self.slots = slots

    def rows(self, z: Tensor, mask: Tensor | None) -> Tensor:
        """Cut latents (B, F, L) to the vectors of their codes (B, F, slots, L / slots); padding gives zeros."""
        size = z.shape[-1]
        rows = z.new_zeros(*z.shape[:-1], self.slots, size // self.slots)
        for clip, frames in enumerate(_lengths(z, mask)):
            rows[clip, :frames] = z[clip, :frames].T.reshape(frames, self.slots, -1)
        return rows

    def latents(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Join vectors (B, F, slots, L / slots) to latents (B, F, L); padding gives zeros."""
        size = rows.shape[-2] * rows.shape[-1]
        latents = rows.new_zeros(*rows.shape[:2], size)
        for clip, frames in enumerate(_lengths(rows, mask)):
            latents[clip, :frames] = rows[clip, :frames].reshape(size, frames).T
        return latents


def _lengths(x: Tensor, mask: Tensor | None) -> list[int]:
    """Return the number of valid frames of each clip of x (B, F, …)."""
    lengths: list[int] = [x.shape[1]] * len(x) if mask is None else mask.sum(1).tolist()
    return lengths


LAYOUTS: dict[str, type[FrameLayout | ChannelLayout]] = {"frame": FrameLayout, "channel": ChannelLayout}
"""Layouts of codes, by `LSFConfig.code_layout`."""


def spacing(codebook: Tensor) -> Tensor:
    """Return the median over codes (N, C) of the squared distance to the nearest other code, ()."""
    return torch.cdist(codebook, codebook).fill_diagonal_(float("inf")).min(-1).values.square().median()


def _raw(codebook: Tensor) -> Tensor:
    """Return 1, (): squared distances as they are."""
    return codebook.new_ones(())


SAMPLING_UNITS: dict[str, Callable[[Tensor], Tensor]] = {"spacing": spacing, "raw": _raw}
"""Units of squared distances between codes, by `LSFConfig.sampling_unit`."""


@dataclass(frozen=True)
class Ranks:
    """Processes that train together; by default one alone.

    Attributes:
        total: Returns the sum of a tensor over all processes; it may change its argument.
        rank: Number of this process.
        ranks: Number of processes.
        generator: Makes what is drawn; on the CPU, and alike in all processes. None: torch's own, for one process.
    """

    total: Callable[[Tensor], Tensor] = lambda x: x
    rank: int = 0
    ranks: int = 1
    generator: torch.Generator | None = None


ALONE = Ranks()


def random_rows(vectors: Tensor, count: int, ranks: Ranks) -> Tensor | None:
    """Draw random rows of the vectors of all processes, with a little noise so that repeated rows can separate.

    Args:
        vectors: (N, C) those of this process.
        count: Number of rows.
        ranks: The processes; all draw the same.

    Returns:
        (count, C); None if no process has a vector.
    """
    sizes = vectors.new_zeros(ranks.ranks, dtype=torch.long)
    sizes[ranks.rank] = len(vectors)
    sizes = ranks.total(sizes)
    if not sizes.any():
        return None
    # Drawn on the CPU, so that all kinds of devices draw the same.
    chosen = torch.randint(int(sizes.sum()), (count,), generator=ranks.generator).to(vectors.device)
    noise = torch.randn(count, vectors.shape[1], generator=ranks.generator).to(vectors.device)
    chosen = chosen - sizes[: ranks.rank].sum()
    own = (chosen >= 0) & (chosen < len(vectors))
    rows = vectors.new_zeros(count, vectors.shape[1])
    rows[own] = vectors[chosen[own]]
    wide = double(vectors)
    first, second = ranks.total(torch.stack((wide.sum(), wide.square().sum())))
    numbers = int(sizes.sum()) * vectors.shape[1]
    deviation = ((second - first.square() / numbers) / max(1, numbers - 1)).clamp_min(0).sqrt()
    drawn: Tensor = ranks.total(rows) + 0.01 * deviation.to(vectors) * noise
    return drawn


class Quantiser(nn.Module, ABC):
    """Residual vector quantiser: each stage codes what the stages before it left over. How its codebooks learn differs.

    Distances are computed in single precision or better, also where the rest of the model runs in half.

    Attributes:
        codebook: (S, codes, code_size).
        deferred: Of moving averages. False: every call with `learn` is one step of them. True: such calls collect, and
            `update` is one step for all of them, of all processes that train together.
    """

    codebook: Tensor
    deferred: bool = False

    def __init__(self, config: LSFConfig):
        super().__init__()
        self.size, self.commitment = config.code_size, config.commitment
        self.stages, self.codes = 1 + config.residual_stages, config.codes
        self.layout = LAYOUTS[config.code_layout](config.codes_per_frame)
        self.unit = SAMPLING_UNITS[config.sampling_unit]

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
        Distances are squared, in the unit of `LSFConfig.sampling_unit`.

        Args:
            z: (B, F, L).
            mask: (B, F) true on valid frames.
            temperature: 0 chooses the nearest code.
            noise: (F, S, codes_per_frame, codes) Gumbel noise, see `take_noise`.
            learn: Whether moving averages learn from this call.

        Returns:
            The codes and their vectors.
        """
        with torch.autocast(z.device.type, enabled=False):
            wide = z.float() if z.dtype in (torch.bfloat16, torch.float16) else z
            residual = self.layout.rows(wide.detach(), mask)
            total, chosen = torch.zeros_like(residual), []
            for stage in range(self.stages):
                if learn:
                    self._prepare(stage, residual, mask)
                codebook = self.codebook[stage]
                # −squared distance + |residual|², which is the same for all codes.
                score = 2 * residual @ codebook.detach().T - codebook.detach().square().sum(-1)
                if temperature > 0 and noise is not None:
                    score = score / (temperature * self.unit(codebook.detach())) + noise[:, stage]
                codes = score.argmax(-1)  # (B, F, slots)
                if learn:
                    self._learn(stage, residual, codes, mask)
                chosen.append(codes)
                vectors = codebook[codes]
                residual, total = residual - vectors.detach(), total + vectors
            latent = self.layout.latents(total, mask)
            valid = slice(None) if mask is None else mask
            loss = self._loss(wide[valid], latent[valid])
            return Quantised(wide + (latent - wide).detach(), torch.stack(chosen, 2), loss)

    def vectors(self, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the vectors (B, F, L) of codes (B, F, S, slots), bit by bit alike for like codes, without gradients.

        Args:
            codes: As of `Quantised`.
            mask: (B, F) true on valid frames.
        """
        stages = [book[codes[:, :, stage]] for stage, book in enumerate(self.codebook.detach())]
        return self.layout.latents(torch.stack(stages).sum(0), mask)

    @abstractmethod
    def _loss(self, z: Tensor, latent: Tensor) -> Tensor:
        """Return the loss () of latents z (N, L) and their codes' vectors (N, L): means over both axes."""

    def _prepare(self, stage: int, residual: Tensor, mask: Tensor | None) -> None:
        """Called before a codebook is used to learn; arguments as of `_learn`."""

    def _learn(self, stage: int, residual: Tensor, codes: Tensor, mask: Tensor | None) -> None:
        """Called with the codes that were chosen.

        Args:
            stage: Index of the codebook.
            residual: (B, F, codes_per_frame, code_size).
            codes: (B, F, codes_per_frame) chosen indices.
            mask: (B, F) true on valid frames.
        """

    def update(self, ranks: Ranks = ALONE) -> None:
        """Let the codebooks learn from what was collected; see `AveragedQuantiser.update`. Others do it as they go."""


class TrainedQuantiser(Quantiser):
    """Codebooks are parameters that move to what they code by the gradient of the loss (van den Oord et al. 2017)."""

    def __init__(self, config: LSFConfig):
        super().__init__(config)
        book = torch.empty(self.stages, self.codes, self.size)
        # Near to each other and to zero, so that the first vectors choose many of them.
        self.codebook = nn.Parameter(nn.init.uniform_(book, -1 / self.codes, 1 / self.codes))

    def _loss(self, z: Tensor, latent: Tensor) -> Tensor:
        """Return the codebook's loss and the weighted commitment loss."""
        return F.mse_loss(latent, z.detach()) + self.commitment * F.mse_loss(z, latent.detach())


class AveragedQuantiser(Quantiser):
    """Codebooks are exponential moving averages of the vectors assigned to them (van den Oord et al. 2017, appendix).

    Averages have two advantages over gradients: they need no learning rate, and their counts show unused codes.
    """

    counts: Tensor
    sums: Tensor

    # A code whose average count per update falls below MIN_COUNT is replaced and gets INITIAL_COUNT. While it stays
    # unused, its count falls to MIN_COUNT again within seventy updates.
    DECAY, MIN_COUNT, INITIAL_COUNT = 0.99, 0.03, 0.06

    def __init__(self, config: LSFConfig):
        super().__init__(config)
        book = torch.empty(self.stages, self.codes, self.size)
        self.register_buffer("codebook", nn.init.normal_(book))
        self.register_buffer("counts", torch.zeros(self.stages, self.codes))  # all zero: not initialised yet
        self.register_buffer("sums", torch.zeros(self.stages, self.codes, self.size))
        self._forget()

    def _forget(self) -> None:
        """Drop what was collected: for each stage, vectors (N, code_size) and codes (N,) of the calls."""
        self._collected: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self.stages)]

    def _loss(self, z: Tensor, latent: Tensor) -> Tensor:
        """Return the weighted commitment loss."""
        return self.commitment * F.mse_loss(z, latent)

    def _prepare(self, stage: int, residual: Tensor, mask: Tensor | None) -> None:
        """Initialise a codebook with vectors of the first batch."""
        if not self.deferred and not self.counts[stage].any():
            self._initialise(stage, self._vectors(residual, mask), ALONE)

    @torch.no_grad()
    def _learn(self, stage: int, residual: Tensor, codes: Tensor, mask: Tensor | None) -> None:
        """Update the averages of a codebook, or keep its vectors for `update`."""
        vectors = self._vectors(residual, mask)
        codes = (codes if mask is None else codes[mask]).reshape(-1)
        if self.deferred:
            self._collected[stage].append((vectors, codes))
        else:
            self._step(stage, vectors, codes, ALONE)

    def _vectors(self, residual: Tensor, mask: Tensor | None) -> Tensor:
        """Return the vectors (N, code_size) of valid frames of `residual` (B, F, codes_per_frame, code_size)."""
        return (residual if mask is None else residual[mask]).reshape(-1, self.size)

    @torch.no_grad()
    def update(self, ranks: Ranks = ALONE) -> None:
        """Take one step of the averages with all that `deferred` calls collected since the last, and forget it.

        The result is that of one process which collected the vectors of rank 0, then those of rank 1, and so on. All
        processes must call it; those that collected nothing, too.

        Args:
            ranks: The processes; their generator draws the replacements of unused codes.
        """
        for stage, parts in enumerate(self._collected):
            vectors = torch.cat([self.sums.new_zeros(0, self.size), *(vectors for vectors, _ in parts)])
            codes = torch.cat([self.counts.new_zeros(0, dtype=torch.long), *(codes for _, codes in parts)])
            if self.counts[stage].any():
                self._step(stage, vectors, codes, ranks)
            else:
                self._initialise(stage, vectors, ranks)
        self._forget()

    def _initialise(self, stage: int, vectors: Tensor, ranks: Ranks) -> None:
        """Make random vectors of (N, code_size) a codebook."""
        drawn = random_rows(vectors, self.codes, ranks)
        if drawn is not None:
            self.codebook[stage] = drawn
            self.counts[stage] = self.INITIAL_COUNT
            self.sums[stage] = self.INITIAL_COUNT * drawn

    def _step(self, stage: int, vectors: Tensor, codes: Tensor, ranks: Ranks) -> None:
        """Move the averages of a codebook towards vectors (N, code_size) coded (N,); replace its unused codes."""
        count, total = self.counts[stage], self.sums[stage]
        new = vectors.new_zeros(self.codes, 1 + self.size)  # number and sum of the vectors of each code
        new = ranks.total(new.index_add_(0, codes, F.pad(vectors, (1, 0), value=1.0)))
        if not new[:, 0].any():
            return  # no process had a frame
        count.lerp_(new[:, 0], 1 - self.DECAY)
        total.lerp_(new[:, 1:], 1 - self.DECAY)
        unused = count < self.MIN_COUNT
        if unused.any():
            drawn = random_rows(vectors, int(unused.sum()), ranks)
            assert drawn is not None
            count[unused] = self.INITIAL_COUNT
            total[unused] = self.INITIAL_COUNT * drawn
        self.codebook[stage] = total / count[:, None]


QUANTISERS: dict[str, type[Quantiser]] = {"averages": AveragedQuantiser, "gradient": TrainedQuantiser}
"""Quantisers, by `LSFConfig.codebook_learning`."""


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


class AbsolutePositions(nn.Module):
    """Adds sinusoidal positions, which begin at 0 in every window."""

    def forward(self, x: Tensor) -> Tensor:
        """Add positions to x (B, F, C)."""
        return x + sinusoids(torch.arange(x.shape[1], device=x.device), x.shape[2])


class Transformer(nn.Module):
    """Convolutional embedding, then transformer layers: (B, F, C) -> same."""

    def __init__(self, config: LSFConfig):
        super().__init__()
        width, rotary = config.prior_width, config.prior_positions == "rotary"
        self.embed = ConvEmbedding(width, config.kernel, config.prior_norm)
        self.positions = nn.Sequential(
            nn.Identity() if rotary else AbsolutePositions(), nn.Dropout(config.position_dropout)
        )
        self.layers = nn.ModuleList(
            TransformerLayer(width, config.prior_heads, config.prior_mlp, config.dropout, rotary=rotary)
            for _ in range(config.prior_layers)
        )
        self.span = config.prior_span

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform x (B, F, C) with `mask` (B, F)."""
        x = self.positions(self.embed(x, mask))
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
        self.quantiser = QUANTISERS[config.codebook_learning](config)
        self.from_latent = nn.Identity() if width == config.latent else nn.Linear(config.latent, width)
        self.decoder = Transformer(config)
        self.out = nn.Linear(width, len(config.channels), bias=config.decoder_bias)

    def encode(self, motion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode standardised motion (B, F, K) as z (B, F, L), not quantised; `mask` (B, F) is true on valid frames."""
        z: Tensor = self.to_latent(self.encoder(self.into(motion), mask))
        return z

    def decode(self, latent: Tensor, mask: Tensor | None = None) -> Tensor:
        """Decode latents (B, F, L) to standardised motion (B, F, K); `mask` (B, F) is true on valid frames."""
        motion: Tensor = self.out(self.decoder(self.from_latent(latent), mask))
        return motion

    def forward(self, motion: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Quantised]:
        """Reconstruct standardised motion (B, F, K). In training mode, averaged codebooks learn from every call."""
        quantised = self.quantiser(self.encode(motion, mask), mask, learn=self.training)
        return self.decode(quantised.latent, mask), quantised
