"""What the keys or bones of a posed rig show, as values of channels: the reverse of a mapping. No bpy."""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .mapping import Mapping

Floats = NDArray[np.floating]

LEAST = 0.01  # value of a key or a channel; less is not seen
ROUNDS = 60  # of the search for the values that are at their limits: one of them is found in each
RIDGE = 1e-3  # share of the squared norm of each shape; without it, similar shapes share a pose in odd ways


def bounded_values(gains: Floats, values: Floats, ridge: Floats | None = None) -> NDArray[np.float64]:
    """Find the channels that give values: least squares within 0 and 1, the smallest channels where several fit.

    The channel that is farthest beyond its limits is held there, and the others are found anew, until all are within.

    Args:
        gains: (K, N) how much of each value a channel at 1 gives.
        values: (N,) the values.
        ridge: (K,) what is added to the diagonal of the normal equations; None solves them exactly.

    Returns:
        (K,) channels, 0 to 1.
    """
    found, free = np.zeros(len(gains)), np.ones(len(gains), bool)
    target = np.asarray(values, float)
    gains = np.asarray(gains, float)
    for _ in range(min(ROUNDS, len(gains)) + 1):
        rest = target - found[~free] @ gains[~free]
        if ridge is not None:
            gram = gains[free] @ gains[free].T + np.diag(ridge[free])
            found[free] = np.linalg.solve(gram, gains[free] @ rest)
        else:
            found[free] = np.linalg.lstsq(gains[free].T, rest, rcond=1e-9)[0]
        beyond = np.maximum(-found, found - 1) * free
        worst = int(beyond.argmax()) if len(beyond) else 0
        if not len(beyond) or beyond[worst] <= 1e-9:
            break
        found[worst], free[worst] = float(found[worst] > 0.5), False
    return found.clip(0, 1)


def of_keys(
    mapping: Mapping, channels: Sequence[str], values: Mapped[str, float], looks: Mapped[str, Mapped[str, float]]
) -> tuple[dict[str, float], list[str]]:
    """Return the channels that posed keys show.

    Args:
        mapping: The channels that the keys follow.
        channels: Names of the K channels.
        values: Values of the keys; a key that is missing is at 0.
        looks: What solved keys show at 1, by their names; see rigs.visemes.

    Returns:
        Values of the channels, and the keys that are posed without it being known what they show.
    """
    gains = mapping.gains(channels)
    found = bounded_values(gains, np.array([values.get(key, 0.0) for key in mapping.direct]))
    unknown = []
    for key in mapping.solved:
        value = values.get(key, 0.0)
        if abs(value) < LEAST:
            continue
        if not looks.get(key):
            unknown.append(key)
        for channel, share in looks.get(key, {}).items():
            if channel in channels:
                found[channels.index(channel)] += value * share
    known = {*mapping.direct, *mapping.solved}
    unknown += [key for key, value in values.items() if abs(value) >= LEAST and key not in known]
    return dict(zip(channels, found.clip(0, 1).tolist(), strict=True)), unknown


def of_shape(basis: Floats, shape: Floats) -> tuple[NDArray[np.float64], float]:
    """Return the channels whose shapes are most like a shape.

    Args:
        basis: (K, V, 3) offsets of the vertices for each channel at 1.
        shape: (V, 3) offsets of the vertices.

    Returns:
        (K,) channels, 0 to 1, and the share of the shape that they do not show, 0 to 1.
    """
    flat, target = basis.reshape(len(basis), -1).astype(float), shape.ravel().astype(float)
    found = bounded_values(flat, target, RIDGE * np.maximum((flat**2).sum(1), 1e-30))
    size = float(target @ target)
    rest = target - found @ flat
    return found, float(rest @ rest) / size if size else 0.0
