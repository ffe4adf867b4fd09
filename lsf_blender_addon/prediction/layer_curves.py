"""Curves and shapes of the layers blinks and gaze, on a face with generated shape keys. No bpy.

- Blinks have a shape key of their own, which closes both lids. Its curve is scaled by 1 - eyeBlink of speech, so that
  both together close the lids fully and no further.
- The gaze replaces the values of speech on the ARKit channels eyeLook….
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides

Floats = NDArray[np.float32]

BLINK, LIDS = "LSF blink", both_sides("eyeBlink")
GAZE_CHANNELS = {name for way in ("In", "Out", "Up", "Down") for name in both_sides(f"eyeLook{way}")}
FULL_TURN = {
    "In": 28.0,
    "Out": 28.0,
    "Up": 22.0,
    "Down": 26.0,
}  # degrees that an eye turns at value 1, on the project's own head
STILL = 1e-3  # a channel that never exceeds this value does not move


@dataclass(frozen=True)
class LayeredMotion:
    """The channels of speech and of the layers. A layer adds channels, or takes some of those of speech.

    Attributes:
        channels: Names of the K channels.
        motion: Values (F, K) of the channels.
        basis: Offsets (K, V, 3) of the vertices for each channel at value 1, in the units of the head.
        layers: Names of the channels of each layer, by the name of the layer.
    """

    channels: list[str]
    motion: Floats
    basis: Floats
    layers: dict[str, list[str]]

    def columns(self, animated: list[int], layer: str = "") -> list[int]:
        """Select the columns that belong to one layer.

        Args:
            animated: Indices of columns of `motion`.
            layer: Name of the layer; "" for speech.

        Returns:
            Those of the indices whose channels belong to it.
        """
        layer_of = {name: owner for owner, names in self.layers.items() for name in names}
        return [k for k in animated if layer_of.get(self.channels[k], "") == layer]


def add_layers(channels: list[str], motion: Floats, basis: Floats, arrays: dict[str, Floats]) -> LayeredMotion:
    """Add the layers of a result to the channels of speech.

    Args:
        channels: Names of the K channels of speech.
        motion: Values (F, K) of the channels.
        basis: Offsets (K, V, 3) of the vertices for each channel at value 1.
        arrays: Arrays of the result, see docs/protocol.md; "blinks" and "gaze" are optional.

    Returns:
        The channels with the layers; a blink adds one channel, so there may be K + 1.
    """
    frames = len(motion)
    curves: dict[str, dict[str, Floats]] = {}
    if "blinks" in arrays and set(LIDS) <= set(channels):
        lids = [channels.index(name) for name in LIDS]
        lids_open = 1 - np.clip(motion[:, lids].max(1), 0, 1)
        curves["blinks"] = {BLINK: arrays["blinks"][:frames] * lids_open}
        shape = basis[lids].sum(0, keepdims=True)
        channels, basis = [*channels, BLINK], np.concatenate((basis, shape))
        motion = np.concatenate((motion, np.zeros((frames, 1), np.float32)), 1)
    if "gaze" in arrays:
        gaze = gaze_curves(arrays["gaze"][:frames])
        curves["gaze"] = {name: curve for name, curve in gaze.items() if name in channels}
    motion = motion.copy()
    for layer_curves in curves.values():
        for name, curve in layer_curves.items():
            motion[:, channels.index(name)] = curve
    return LayeredMotion(list(channels), motion, basis, {layer: list(names) for layer, names in curves.items()})


def gaze_curves(gaze: Floats) -> dict[str, Floats]:
    """Convert a gaze to the eight eyeLook channels of ARKit.

    Args:
        gaze: Angles (F, 2) to the head's left and up, in degrees.

    Returns:
        Values (F,) of each channel, by its name; 0 or more.
    """
    left, right = np.maximum(gaze[:, 0], 0), np.maximum(-gaze[:, 0], 0)
    up, down = np.maximum(gaze[:, 1], 0), np.maximum(-gaze[:, 1], 0)
    # Directions in which the left and the right eye turn, and the angle; "Out" is away from the nose.
    turns = (("Out", "In", left), ("In", "Out", right), ("Up", "Up", up), ("Down", "Down", down))
    curves: dict[str, Floats] = {}
    for of_left, of_right, degrees in turns:
        curves[both_sides(f"eyeLook{of_left}")[0]] = (degrees / FULL_TURN[of_left]).astype(np.float32)
        curves[both_sides(f"eyeLook{of_right}")[1]] = (degrees / FULL_TURN[of_right]).astype(np.float32)
    return curves
