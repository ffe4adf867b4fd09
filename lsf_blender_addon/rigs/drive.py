"""Drives the keys of a rig from channels: values of the keys for a motion, and offsets of parts that follow them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mapping import Mapping

Floats = NDArray[np.float32]
Matrix = NDArray[np.floating[Any]]

RIDGE = 1e-3  # share of the mean squared norm of a shape; without it, similar shapes get huge opposite weights
MIN_EXPLAINED = 0.2  # share of a channel's offsets that the solved keys must reproduce, else the channel is missing
LEAST_VALUE = 0.01  # a channel that stays below it tells nothing about the keys
PREFIX = "LSF "  # of the name of a new key, where the head has a key of the channel's name
SWEEPS = 60  # of coordinate descent


@dataclass(frozen=True)
class Drive:
    """Values of a rig's keys for a line: motion · matrix + residual, clipped to the ranges of the sliders.

    `residual` is the difference between the values that the server solved frame by frame and the linear approximation.
    So a small change of the motion changes the keys only a little.

    Attributes:
        keys: Names of the N keys.
        matrix: Gains (K, N) from the K channels to the keys.
        residual: Values (F, N) that are added at each frame.
        low: Lower limits (N,) of the keys' sliders.
        high: Upper limits (N,) of the keys' sliders.
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

    def key_offsets(self, offsets: Floats) -> Floats:
        """Convert offsets for each channel to offsets for each key, with the pseudo-inverse of the matrix.

        Args:
            offsets: Offsets (K, L, 3) of L points for each channel at value 1.

        Returns:
            Offsets (N, L, 3) of the points for each key at value 1.
        """
        inverse = np.linalg.pinv(self.matrix.astype(np.float64), rcond=1e-3)
        result: Floats = np.einsum("nk,kld->nld", inverse, offsets).astype(np.float32)
        return result


def make_drive(
    mapping: Mapping,
    shapes: Floats,
    limits: dict[str, tuple[float, float]],
    channels: Sequence[str],
    motion: Floats,
    basis: Floats,
    *,
    solved: Floats | None,
    add_missing: bool,
    head: int,
    elsewhere: Collection[str] = (),
    lost: Collection[str] = (),
    by_names: bool = False,
) -> tuple[Drive, Floats]:
    """Make the drive of a rig's keys for a line.

    Args:
        mapping: The channels that the keys follow.
        shapes: Offsets (R, V, 3) of the vertices for each of the mapping's solved keys at value 1.
        limits: Ranges of the sliders of all the head's own keys.
        channels: Names of the K channels.
        motion: Values (F, K) of the channels.
        basis: Offsets (K, V, 3) of the vertices for each channel at value 1.
        solved: Values (F, R) of the solved keys that the server found; required if R > 0.
        add_missing: Whether channels that no key reproduces become keys themselves.
        head: Number of the head's vertices, which are the first of the V; the others belong to its parts.
        elsewhere: Channels that bones show: no key follows them.
        lost: Channels whose own keys are left out: they become keys themselves if no other key shows them. Such a key
            has a name of its own where the head has a key of the channel's name.
        by_names: Whether the shapes are what the keys' names tell. They are few numbers and much alike, so that only
            weights that are not negative keep a key from standing in for the lack of another.

    Returns:
        The drive of N keys, and offsets (N, V, 3) of the vertices for each key at value 1. For the head's own keys the
        offsets of the head's vertices are 0, as these keys have their shapes already.
    """
    flat, gains = basis.reshape(len(basis), -1), mapping.gains(channels)
    is_elsewhere = np.isin(channels, list(elsewhere))
    gains[is_elsewhere] = 0
    flat_shapes = shapes.reshape(len(shapes), flat.shape[1])
    weights = _non_negative_weights(flat_shapes, flat) if by_names else _ridge_weights(flat, flat_shapes)
    by_others = is_elsewhere | gains.any(1)
    weights[by_others] = 0
    shown = by_others | (_explained_share(flat, weights, flat_shapes) > MIN_EXPLAINED)
    missing = [
        k
        for k, channel in enumerate(channels)
        if not shown[k] and (channel in lost or (add_missing and channel not in limits))
    ]
    if solved is not None:
        heard = ~by_others & (np.abs(motion).max(0) > LEAST_VALUE)
        weights[heard] = 0
        weights[heard] = _fitted(motion[:, heard], solved - motion @ weights)
    direct, own = len(mapping.direct), len(mapping.direct) + len(mapping.solved)
    keys = (*mapping.direct, *mapping.solved, *(new_key_name(channels[k], limits) for k in missing))
    matrix = np.concatenate([gains, weights, np.eye(len(channels))[:, missing]], 1)
    residual = np.zeros((len(motion), len(keys)))
    if solved is not None:
        residual[:, direct:own] = solved - motion @ weights
    low, high = np.array([limits.get(key, (-np.inf, np.inf)) for key in keys]).reshape(-1, 2).T
    offsets = np.zeros((len(keys), flat.shape[1]), np.float32)
    if flat.shape[1] > 3 * head:
        parts = flat[:, 3 * head :]
        offsets[:direct, 3 * head :] = np.linalg.pinv(gains) @ parts
        offsets[direct:own, 3 * head :] = _non_negative_weights(flat, flat_shapes) @ parts
    offsets[own:] = flat[missing]
    drive = Drive(keys, *(array.astype(np.float32) for array in (matrix, residual, low, high)))
    return drive, offsets.reshape(len(keys), *basis.shape[1:])


def new_key_name(channel: str, taken: Collection[str]) -> str:
    """Return the name of a new key for a channel; another one than the channel's if that is taken."""
    return f"{PREFIX}{channel}" if channel in taken else channel


def channel_of(name: str) -> str:
    """Return the channel of a new key (see `new_key_name`), spelled as `name`; the name of another key as it is."""
    return name[len(PREFIX) :] if name.casefold().startswith(PREFIX.casefold()) else name


def _ridge_weights(basis: Floats, shapes: Floats) -> Matrix:
    """Return the weights (K, R) with which shapes (R, D) best approximate basis (K, D): ridge regression."""
    return np.linalg.solve(_regularised_gram(shapes), (shapes @ basis.T).astype(np.float64)).T


def _fitted(motion: Floats, values: Matrix) -> Matrix:
    """Return weights (K, R) that take motion (F, K) to values (F, R): ridge regression.

    The solved values have limits, and shapes that stand in for each other. So a key follows a channel in the line
    otherwise than the shapes alone say: with these, less jaw would open some mouths more.
    """
    gram = (motion.T @ motion).astype(np.float64)
    gram += max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    return np.linalg.solve(gram, (motion.T @ values).astype(np.float64))


def _regularised_gram(rows: Floats) -> Matrix:
    """Return the Gram matrix (N, N) of rows (N, D), with RIDGE times the mean of its diagonal added to the diagonal."""
    gram = (rows @ rows.T).astype(np.float64)
    gram += RIDGE * max(gram.trace() / max(1, len(gram)), 1e-30) * np.eye(len(gram))
    return gram


def _explained_share(basis: Floats, weights: Matrix, shapes: Floats) -> Floats:
    """Return the share (K,) of the squared norm of basis (K, D) that shapes (R, D) with weights (K, R) explain."""
    size = np.maximum((basis**2).sum(1), 1e-30)
    share: Floats = 1 - ((basis - weights.astype(np.float32) @ shapes) ** 2).sum(1) / size
    return share


def _non_negative_weights(basis: Floats, shapes: Floats) -> Matrix:
    """Return the weights (R, K), none negative, with which basis (K, D) best approximates shapes (R, D).

    Non-negative least squares by coordinate descent.
    """
    gram = _regularised_gram(basis)
    wanted = (shapes @ basis.T).astype(np.float64)
    weights = np.zeros_like(wanted)
    for _ in range(SWEEPS if len(shapes) else 0):
        for k in range(len(gram)):
            slope = weights @ gram[:, k] - wanted[:, k]
            weights[:, k] = np.maximum(0, weights[:, k] - slope / gram[k, k])
    return weights
