"""Lets a head's own shape keys follow a line: makes the Drive, and converts predictions to these keys. No bpy."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive, make_drive
from ..scene.snapshots import Rig
from .layer_curves import LIDS, STILL, LayeredMotion, gaze_curves
from .store import Prediction, packed, unpacked

MIN_GAIN = 0.05  # a key that follows a channel with a smaller gain does not count as showing it

Floats = NDArray[np.float32]


def drive_with_layers(
    rig: Rig, channels: list[str], motion: Floats, tweaked: Floats, basis: Floats, arrays: dict[str, NDArray[Any]]
) -> tuple[Drive, LayeredMotion]:
    """Let the keys of a rig follow a line.

    Blinks are added to the speech, on the keys of the lids. The gaze is a layer if its keys do not move in speech, else
    it is added to the speech, too.

    Args:
        rig: The keys that are driven.
        channels: Names of the K channels.
        motion: Predicted values (F, K), for which the server has solved the rig.
        tweaked: Values (F, K) after the artist's sliders.
        basis: Offsets (K, V, 3) of the vertices for each channel at value 1.
        arrays: Arrays of the result, see docs/protocol.md.

    Returns:
        The drive, which includes what is added to the speech, and the values, offsets and layers of its N keys.
    """
    frames = len(motion)
    solved = arrays["rig_motion"][:frames] if rig.mapping.solved else None
    drive, offsets = make_drive(
        rig.mapping,
        rig.shapes,
        rig.limits,
        channels,
        motion,
        basis,
        solved=solved,
        add_missing=rig.add_missing,
        head=rig.head,
    )
    speech, added, gaze = drive.values(motion), np.zeros_like(motion), np.zeros_like(motion)
    if "blinks" in arrays:
        for k in [channels.index(name) for name in LIDS if name in channels]:
            added[:, k] = arrays["blinks"][:frames] * (1 - np.clip(motion[:, k], 0, 1))
    layer: set[int] = set()
    for name, curve in gaze_curves(arrays["gaze"][:frames]).items() if "gaze" in arrays else ():
        if name in channels and np.abs(motion[:, channels.index(name)]).max() <= STILL:
            k = channels.index(name)
            keys = np.flatnonzero(np.abs(drive.matrix[k]) > MIN_GAIN)
            still = bool(np.abs(speech[:, keys]).max(initial=0.0) <= STILL)
            (gaze if still else added)[:, k] = curve
            layer |= set(keys.tolist()) if still else set()
    drive = _rounded(drive.with_motion(added))
    values = drive.values(tweaked)
    values[:, sorted(layer)] = drive.with_motion(gaze).values(tweaked)[:, sorted(layer)]
    layers = {"gaze": [drive.keys[n] for n in sorted(layer)]} if layer else {}
    return drive, LayeredMotion(list(drive.keys), values, offsets, layers)


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
    return _rounded(replace(new, residual=(1 - part) * earlier.residual + part * new.residual))


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


def _rounded(drive: Drive) -> Drive:
    """Return the drive as store.load will return it, so that curves that are made again are the same."""
    return replace(drive, matrix=unpacked(packed(drive.matrix), 2), residual=unpacked(packed(drive.residual), 2))
