"""Lets a head's own shape keys follow a line: blends drives, and converts predictions to the keys. No bpy."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive
from . import sound_edits
from .store import Prediction, packed, unpacked

SPEECH_SHARE = 0.5  # of the gains of a key: with more from the channels of speech, it is a key of the mouth

Floats = NDArray[np.float32]


def blended(earlier: Prediction | None, new: Prediction, motion: Floats, weights: Floats) -> Drive | None:
    """Blend the drives of two predictions of a line.

    The keys' values are blended, not the matrices: each was fitted to the motion of its own prediction.

    Args:
        earlier: The earlier prediction of the line.
        new: The new prediction, with its drive.
        motion: Values (F, K) of the channels in the blended prediction.
        weights: Weights (F,) of the new one, see blend.new_take_weights.

    Returns:
        The blended drive; the new drive if the earlier one has other keys or another length.
    """
    drive, old = new.drive, earlier.drive if earlier else None
    if earlier is None or drive is None or old is None or old.keys != drive.keys or len(old.residual) != len(motion):
        return drive
    part = weights[:, None]
    values = (1 - part) * _unlimited(old, earlier.motion) + part * _unlimited(drive, new.motion)
    return rounded(replace(drive, residual=values - motion @ drive.matrix))


def _unlimited(drive: Drive, motion: Floats) -> Floats:
    """Values (F, N) of a drive's keys for motion (F, K), beyond the limits of their sliders too."""
    values: Floats = motion @ drive.matrix + drive.residual
    return values


def on_keys(predicted: Prediction, motion: Floats, closed: Floats | None = None) -> Prediction:
    """Convert a prediction to the keys of its rig.

    Args:
        predicted: A prediction of K channels.
        motion: Values (F, K) that replace those of the prediction.
        closed: How far the artist has closed the lips, (F,) 0 to 1: so far, keys that speech moves lose what they get
            from elsewhere, as from a brow that was raised in the whole line, and beside the matrix: it would part them.

    Returns:
        A prediction whose channels are the drive's N keys; the same K channels if there is no drive.
    """
    drive = predicted.drive
    if drive is None:
        return replace(predicted, motion=motion)
    if closed is not None:
        gains, speech = np.abs(drive.matrix), sound_edits.speech_columns(predicted.channels)
        speaks = gains[speech].sum(0) > SPEECH_SHARE * gains.sum(0)
        residual = drive.residual[: len(motion)]
        elsewhere = residual + np.delete(motion, speech, 1) @ np.delete(drive.matrix, speech, 0)
        drive = replace(drive, residual=residual - closed[:, None] * speaks * elsewhere)
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
