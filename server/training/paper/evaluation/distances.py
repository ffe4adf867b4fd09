"""Distances between a clip's true motion and predictions, in vertices (arXiv 2510.21864, and what it builds on).

F frames, V vertices, n takes. Vertices of all takes of a whole clip would fill gigabytes, so frames are measured in
blocks, and only sums are kept. Units are metres and square metres.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .regions import Regions

BLOCK_VALUES = 8_000_000  # numbers in the vertices of all takes of a block: 32 MB; the layer needs a few times that

Pairs = Sequence[tuple[int, int]]
"""Numbers of the takes whose distance is the diversity."""


@dataclass(frozen=True)
class Distances:
    """What was measured on a clip.

    Attributes:
        frames: F.
        mve: (n,) mean over frames and vertices of the distance to the truth, m.
        lve: (n,) mean over frames of the greatest squared distance of a lip vertex to the truth, m²; or None.
        fdd: (n,) mean over vertices of the upper face of: deviation over time of the squared offset from the neutral
            face, truth less prediction, m²; or None. Positive: the truth moves more.
        mee: LVE of the mean of the samples, m²; or None.
        diversity: Mean distance between the two takes of a pair, over pairs, frames and vertices, m; or None.
    """

    frames: int
    mve: NDArray[np.float64]
    lve: NDArray[np.float64] | None
    fdd: NDArray[np.float64] | None
    mee: float | None
    diversity: float | None


class RunningDeviation:
    """Standard deviation over time of values that come in blocks (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, values: Tensor) -> None:
        """Add a block (…, b, U) of b frames; … and U are the same in all blocks."""
        values = values.cpu().double()  # not every GPU has doubles
        count, mean = values.shape[-2], values.mean(-2)
        squares = (values - mean[..., None, :]).square().sum(-2)
        total, step = self.count + count, mean - self.mean
        self.squares = self.squares + squares + step.square() * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total

    def deviation(self) -> Tensor:
        """Return the standard deviation (…, U) over all frames."""
        return (self.squares / self.count).sqrt()


@torch.inference_mode()
def measure(
    vertices: Callable[[Tensor], Tensor],
    neutral: Tensor,
    truth: Tensor,
    takes: Tensor,
    samples: int,
    pairs: Pairs,
    regions: Regions,
    block_values: int = BLOCK_VALUES,
) -> Distances:
    """Measure the predictions of a clip.

    Args:
        vertices: Gives the vertices (b, V, 3) in metres of motion (b, K).
        neutral: (V, 3) the face that does not move.
        truth: (F, K) true motion.
        takes: (n, F, K) predictions, the random samples first.
        samples: How many of the takes are samples; MEE is that of their mean.
        pairs: Pairs of samples.
        regions: Vertices of lips and upper face.
        block_values: Most numbers in the vertices of all takes of a block.

    Returns:
        All distances. What needs a region that is None, or samples or pairs that are none, is None.
    """
    count, frames = takes.shape[:2]
    block = max(1, block_values // ((count + 1) * neutral.numel()))
    lips, upper = (None if r is None else torch.from_numpy(r).to(neutral.device) for r in (regions.lips, regions.upper))
    mve, lve = np.zeros(count), np.zeros(count)
    mee, diversity = 0.0, 0.0
    dynamics = RunningDeviation()
    for first in range(0, frames, block):
        true = vertices(truth[first : first + block])
        # One take after the other, since a layer needs several times the memory of its result.
        predicted = torch.stack([vertices(take[first : first + block]) for take in takes])  # (n, b, V, 3)
        error = predicted - true
        mve += _total(error.norm(dim=-1).mean(-1))
        if lips is not None:
            lve += _total(error[:, :, lips].square().sum(-1).amax(-1))
            if samples:
                mean_error = error[:samples, :, lips].mean(0)
                mee += float(_total(mean_error.square().sum(-1).amax(-1)))
        for a, b in pairs:
            diversity += float(_total((predicted[a] - predicted[b]).norm(dim=-1).mean(-1)))
        if upper is not None:
            moved = torch.stack([(face[:, upper] - neutral[upper]).square().sum(-1) for face in (true, *predicted)])
            dynamics.add(moved)
    deviation = None if upper is None else dynamics.deviation().mean(-1).numpy()  # (1 + n,), the truth first
    return Distances(
        frames=frames,
        mve=mve / frames,
        lve=None if lips is None else lve / frames,
        fdd=None if deviation is None else deviation[0] - deviation[1:],
        mee=mee / frames if lips is not None and samples else None,
        diversity=diversity / (frames * len(pairs)) if pairs else None,
    )


def _total(values: Tensor) -> NDArray[np.float64]:
    """Sum values (…, b) over the frames: (…)."""
    total: NDArray[np.float64] = values.cpu().double().sum(-1).numpy()
    return total


def random_pairs(samples: int, count: int, rng: np.random.Generator) -> Pairs:
    """Draw pairs of different samples, none of which is in two pairs; as many as there are, at most `count`."""
    order = rng.permutation(samples)
    return [(int(order[2 * i]), int(order[2 * i + 1])) for i in range(min(count, samples // 2))]
