"""From channels to the keys of a rig: values of its keys for a motion, and offsets of the parts that follow them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mapping import Mapping

Floats = NDArray[np.float32]
Matrix = NDArray[np.floating[Any]]

RIDGE = 1e-3  # of the mean squared size of a shape: without it, similar shapes get huge opposite weights
EXPLAINED = 0.2  # share of a channel's motion that the solved keys must be able to show, else it counts as missing
SWEEPS = 60  # of coordinate descent


@dataclass(frozen=True)
class Drive:
    """Values of a rig's keys: motion · matrix + residual, within the ranges of the sliders.

    What the server has solved frame by frame is `residual` away from the best linear guess. So keys change little if
    the motion is changed a little afterwards.

    Attributes:
        keys: Names of the N keys.
        matrix: Gains (K, N) of the keys for the channels.
        residual: Values (F, N) to add.
        low: Least values (N,) of the keys' sliders.
        high: Largest values (N,) of the keys' sliders.
    """

    keys: tuple[str, ...]
    matrix: Floats
    residual: Floats
    low: Floats
    high: Floats

    def values(self, motion: Floats) -> Floats:
        """Return the values of the keys (F, N) for motion (F, K)."""
        values = motion @ self.matrix + self.residual[: len(motion)]
        result: Floats = np.clip(values, self.low, self.high).astype(np.float32)
        return result

    def with_motion(self, motion: Floats) -> "Drive":
        """Return the drive with a motion (F, K) added that does not come from the prediction, like blinks."""
        return replace(self, residual=self.residual + motion @ self.matrix)

    def key_offsets(self, offsets: Floats) -> Floats:
        """Return offsets (N, L, 3) for each key at 1 from those (K, L, 3) for each channel at 1: by pseudo-inverse."""
        inverse = np.linalg.pinv(self.matrix.astype(np.float64), rcond=1e-3)
        result: Floats = np.einsum("nk,kld->nld", inverse, offsets).astype(np.float32)
        return result


def make(
    mapping: Mapping,
    shapes: Floats,
    limits: dict[str, tuple[float, float]],
    channels: Sequence[str],
    motion: Floats,
    basis: Floats,
    solved: Floats | None,
    add_missing: bool,
    head: int,
) -> tuple[Drive, Floats]:
    """Make the drive of a rig's keys for a line.

    Args:
        mapping: What the keys follow.
        shapes: Offsets (R, V, 3) of the mapping's solved keys.
        limits: Ranges of the sliders of all the head's own keys.
        channels: Names of the K channels.
        motion: The line's motion (F, K).
        basis: Offsets (K, V, 3) of the vertices for each channel at 1.
        solved: Values (F, R) of the solved keys as the server found them; needed if R > 0.
        add_missing: Whether channels that no key shows become keys themselves.
        head: How many of the V vertices are the head's; the others are its parts'.

    Returns:
        The drive, and offsets (N, V, 3) of its keys, 0 on the head for its own keys: these have shapes.
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
    if len(shapes) and solved is not None:
        residual[:, direct:own] = solved - motion @ weights
    low, high = np.array([limits.get(key, (-np.inf, np.inf)) for key in keys]).reshape(-1, 2).T
    offsets = np.zeros((len(keys), flat.shape[1]), np.float32)
    if flat.shape[1] > 3 * head:
        parts = flat[:, 3 * head :]
        offsets[:direct, 3 * head :] = np.linalg.pinv(gains) @ parts
        offsets[direct:own, 3 * head :] = _non_negative(flat, flat_shapes) @ parts
    offsets[own:] = flat[missing]
    drive = Drive(keys, *(array.astype(np.float32) for array in (matrix, residual, low, high)))
    return drive, offsets.reshape(len(keys), *basis.shape[1:])


def _linear(basis: Floats, shapes: Floats) -> Matrix:
    """Return the weights (K, R) with which shapes (R, D) approximate basis (K, D) best: ridge regression."""
    gram = (shapes @ shapes.T).astype(np.float64)
    gram += RIDGE * max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    return np.linalg.solve(gram, (shapes @ basis.T).astype(np.float64)).T


def _explained(basis: Floats, weights: Matrix, shapes: Floats) -> Floats:
    """Return the share (K,) of the squares of basis (K, D) that shapes (R, D) with weights (K, R) explain."""
    size = np.maximum((basis**2).sum(1), 1e-30)
    share: Floats = 1 - ((basis - weights.astype(np.float32) @ shapes) ** 2).sum(1) / size
    return share


def _non_negative(basis: Floats, shapes: Floats) -> Matrix:
    """Return the weights (R, K), none negative, with which basis (K, D) approximates shapes (R, D) best.

    Non-negative least squares by coordinate descent.
    """
    gram = (basis @ basis.T).astype(np.float64)
    gram += RIDGE * max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    wanted = (shapes @ basis.T).astype(np.float64)
    weights = np.zeros_like(wanted)
    for _ in range(SWEEPS if len(shapes) else 0):
        for k in range(len(gram)):
            slope = weights @ gram[:, k] - wanted[:, k]
            weights[:, k] = np.maximum(0, weights[:, k] - slope / gram[k, k])
    return weights
