"""Lets a head's own shape keys follow a line: blends drives, and converts predictions to the keys. No bpy."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive
from .store import Prediction, packed, unpacked

Floats = NDArray[np.float32]


def blended(earlier: Drive | None, new: Drive, weights: Floats) -> Drive:
    """Blend the drives of two predictions of a line.

    Args:
        earlier: The drive of the earlier prediction, if it had one.
        new: The drive of the new prediction.
        weights: Weights (F,) of the new one, see blend.new_take_weights.

    Returns:
        The blended drive; the new drive if the earlier one has other keys or another length.
    """
    if earlier is None or earlier.keys != new.keys or earlier.residual.shape != new.residual.shape:
        return new
    part = weights[:, None]
    return rounded(replace(new, residual=(1 - part) * earlier.residual + part * new.residual))


def on_keys(predicted: Prediction, motion: Floats) -> Prediction:
    """Convert a prediction to the keys of its rig.

    Args:
        predicted: A prediction of K channels.
        motion: Values (F, K) that replace those of the prediction.

    Returns:
        A prediction whose channels are the drive's N keys; the same K channels if there is no drive.
    """
    drive = predicted.drive
    if drive is None:
        return replace(predicted, motion=motion)
    return replace(
        predicted,
        channels=drive.keys,
        motion=drive.values(motion),
        expression=predicted.expression @ drive.matrix,
        lips=drive.key_offsets(predicted.lips),
    )


def rounded(drive: Drive) -> Drive:
    """Return the drive as store.load will return it, so that curves that are made again are the same."""
    return replace(drive, matrix=unpacked(packed(drive.matrix), 2), residual=unpacked(packed(drive.residual), 2))
