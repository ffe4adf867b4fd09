"""From channels to the keys of a rig: which values its keys take for a motion, and what parts do that follow them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .mapping import Mapping

RIDGE = 1e-3  # of the mean squared size of a shape: keeps shapes that look alike from getting huge opposite weights
EXPLAINED = 0.2  # share of a channel's motion that the solved keys must be able to show, else it counts as missing
SWEEPS = 60  # of coordinate descent


@dataclass(frozen=True)
class Drive:
    """values = motion · matrix + residual, within the sliders of the keys.

    What the server has solved frame by frame is `residual` away from the best linear guess, so a motion that is changed
    a little afterwards gives keys that are changed a little.
    """

    keys: tuple[str, ...]  # N names of shape keys
    matrix: np.ndarray  # (K, N) float32
    residual: np.ndarray  # (F, N) float32
    low: np.ndarray  # (N,) float32 what the sliders allow
    high: np.ndarray

    def values(self, motion: np.ndarray) -> np.ndarray:
        """(F, N) float32 values of the keys for motion (F, K)."""
        values = motion @ self.matrix + self.residual[: len(motion)]
        return np.clip(values, self.low, self.high).astype(np.float32)

    def plus(self, motion: np.ndarray) -> "Drive":
        """The same with a motion (F, K) added that does not come from the prediction, like blinks."""
        return replace(self, residual=self.residual + motion @ self.matrix)

    def on_keys(self, offsets: np.ndarray) -> np.ndarray:
        """(N, L, 3) offsets at a key's value 1, for offsets (K, L, 3) at a channel's: as far as keys tell channels."""
        inverse = np.linalg.pinv(self.matrix.astype(np.float64), rcond=1e-3)
        return np.einsum("nk,kld->nld", inverse, offsets).astype(np.float32)


def make(
    mapping: Mapping,
    shapes: np.ndarray,
    limits: dict[str, tuple[float, float]],
    channels: Sequence[str],
    motion: np.ndarray,
    basis: np.ndarray,
    solved: np.ndarray | None,
    add_missing: bool,
    head: int,
) -> tuple[Drive, np.ndarray]:
    """The drive for motion (F, K) on basis (K, V, 3), and offsets (N, V, 3) of its keys.

    `shapes` (R, V, 3) are the offsets of the mapping's solved keys, `solved` (F, R) their values as the server found
    them, `limits` the sliders of all own keys. With `add_missing`, channels that no key shows become keys themselves.
    The first `head` vertices are the head's: its own keys have shapes already, and their offsets are left 0 there.
    """
    flat, gains = basis.reshape(len(basis), -1), mapping.gains(channels)
    flat_shapes = shapes.reshape(len(shapes), flat.shape[1])
    weights = _linear(flat, flat_shapes)
    missing = []
    if add_missing:
        shown = gains.any(1) | (_explained(flat, weights, flat_shapes) > EXPLAINED)
        missing = [k for k in range(len(channels)) if not shown[k] and channels[k] not in limits]
    direct, own = len(mapping.direct), len(mapping.direct) + len(mapping.solved)
    keys = (*mapping.direct, *mapping.solved, *(channels[k] for k in missing))
    matrix = np.concatenate([gains, weights, np.eye(len(channels))[:, missing]], 1)
    residual = np.zeros((len(motion), len(keys)))
    if len(shapes):
        residual[:, direct:own] = solved - motion @ weights
    low, high = np.array([limits.get(key, (-np.inf, np.inf)) for key in keys]).reshape(-1, 2).T
    offsets = np.zeros((len(keys), flat.shape[1]), np.float32)
    if flat.shape[1] > 3 * head:
        parts = flat[:, 3 * head :]
        offsets[:direct, 3 * head :] = np.linalg.pinv(gains) @ parts
        offsets[direct:own, 3 * head :] = _cone(flat, flat_shapes) @ parts
    offsets[own:] = flat[missing]
    drive = Drive(keys, *(array.astype(np.float32) for array in (matrix, residual, low, high)))
    return drive, offsets.reshape(len(keys), *basis.shape[1:])


def _linear(basis: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """(K, R) weights of shapes (R, D) that come nearest to basis (K, D)."""
    gram = (shapes @ shapes.T).astype(np.float64)
    gram += RIDGE * max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    return np.linalg.solve(gram, (shapes @ basis.T).astype(np.float64)).T


def _explained(basis: np.ndarray, weights: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """(K,) the share of basis (K, D) that shapes (R, D) with weights (K, R) show."""
    size = np.maximum((basis**2).sum(1), 1e-30)
    return 1 - ((basis - weights.astype(np.float32) @ shapes) ** 2).sum(1) / size


def _cone(basis: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """(R, K) weights, none negative, of basis (K, D) that come nearest to shapes (R, D): by coordinate descent."""
    gram = (basis @ basis.T).astype(np.float64)
    gram += RIDGE * max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    wanted = (shapes @ basis.T).astype(np.float64)
    weights = np.zeros_like(wanted)
    for _ in range(SWEEPS if len(shapes) else 0):
        for k in range(len(gram)):
            slope = weights @ gram[:, k] - wanted[:, k]
            weights[:, k] = np.maximum(0, weights[:, k] - slope / gram[k, k])
    return weights
