"""A line on a head's own shape keys: its Drive, kept on the Action so that curves made again reach them too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..rigs.drive import Drive, make
from ..scene.snapshots import Rig
from .layer_curves import LIDS, STILL, LayeredMotion, looks
from .store import Prediction, packed, unpacked

if TYPE_CHECKING:
    import bpy

MOVES = 0.05  # a key that follows a channel by less does not show it
PROPERTY = "lsf_drive"  # custom property on the Action


def layered(
    rig: Rig,
    channels: list[str],
    motion: np.ndarray,
    tweaked: np.ndarray,
    basis: np.ndarray,
    arrays: dict[str, np.ndarray],
) -> tuple[Drive, LayeredMotion]:
    """The drive for motion (F, K) on basis (K, V, 3), and the keys with their values for `tweaked` motion (F, K), their
    offsets and layers.

    `arrays` are a result's. Blinks go with the speech, onto the keys that the lids have; the gaze is a layer where its
    keys are still in speech, and goes with the speech elsewhere.
    """
    frames = len(motion)
    solved = arrays["rig_motion"][:frames] if rig.mapping.solved else None
    drive, offsets = make(
        rig.mapping, rig.shapes, rig.limits, channels, motion, basis, solved, rig.add_missing, rig.head
    )
    speech, beside, gaze = drive.values(motion), np.zeros_like(motion), np.zeros_like(motion)
    if "blinks" in arrays:
        for k in [channels.index(name) for name in LIDS if name in channels]:
            beside[:, k] = arrays["blinks"][:frames] * (1 - np.clip(motion[:, k], 0, 1))
    layer = set()
    for name, curve in looks(arrays["gaze"][:frames]).items() if "gaze" in arrays else ():
        if name in channels and np.abs(motion[:, channels.index(name)]).max() <= STILL:
            k = channels.index(name)
            keys = np.flatnonzero(np.abs(drive.matrix[k]) > MOVES)
            still = bool(np.abs(speech[:, keys]).max(initial=0.0) <= STILL)
            (gaze if still else beside)[:, k] = curve
            layer |= set(keys.tolist()) if still else set()
    drive = _rounded(drive.plus(beside))
    values = drive.values(tweaked)
    values[:, sorted(layer)] = drive.plus(gaze).values(tweaked)[:, sorted(layer)]
    layers = {"gaze": [drive.keys[n] for n in sorted(layer)]} if layer else {}
    return drive, LayeredMotion(list(drive.keys), values, offsets, layers)


def mixed(earlier: Drive | None, new: Drive, share: np.ndarray) -> Drive:
    """The new drive, with what the earlier one had solved where the line is still its: 1 - share (F,)."""
    if earlier is None or earlier.keys != new.keys or earlier.residual.shape != new.residual.shape:
        return new
    return _rounded(replace(new, residual=(1 - share[:, None]) * earlier.residual + share[:, None] * new.residual))


def _rounded(drive: Drive) -> Drive:
    """The drive as `load` will return it, so that curves made again are the same."""
    return replace(drive, matrix=unpacked(packed(drive.matrix), 2), residual=unpacked(packed(drive.residual), 2))


def store(action: bpy.types.Action, drive: Drive | None) -> None:
    """Keep it on the Action, instead of an earlier one."""
    if drive is None:
        action.pop(PROPERTY, None)
        return
    action[PROPERTY] = {
        "keys": "\n".join(drive.keys),
        "low": drive.low.tolist(),
        "high": drive.high.tolist(),
        "matrix": packed(drive.matrix),
        "residual": packed(drive.residual),
    }


def load(action: bpy.types.Action) -> Drive | None:
    kept = action.get(PROPERTY)
    if not hasattr(kept, "to_dict"):
        return None
    keys = tuple(kept["keys"].split("\n"))
    return Drive(
        keys,
        unpacked(kept["matrix"], 2),
        unpacked(kept["residual"], 2),
        np.array(kept["low"], np.float32),
        np.array(kept["high"], np.float32),
    )


def on_keys(drive: Drive | None, predicted: Prediction, motion: np.ndarray) -> Prediction:
    """The prediction with motion (F, K) in its channels' stead: in the keys of the rig, if it drives one."""
    if drive is None:
        return replace(predicted, motion=motion)
    return replace(
        predicted,
        channels=drive.keys,
        motion=drive.values(motion),
        expression=predicted.expression @ drive.matrix,
        lips=drive.on_keys(predicted.lips),
    )
