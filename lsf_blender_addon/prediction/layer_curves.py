"""What each layer moves on a face: names of shape keys, with a curve and a shape for each. No bpy.

- Blinks have a key of their own, which closes both lids. Its curve is scaled by what speech leaves of the way, so that
  lids which squint at the same time close fully and no further.
- The gaze moves the ARKit channels eyeLook…: where there is a gaze it replaces what speech would do with the eyes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..rigs.names import both_sides

Floats = NDArray[np.float32]

BLINK, LIDS = "LSF blink", both_sides("eyeBlink")
GAZE_CHANNELS = {name for way in ("In", "Out", "Up", "Down") for name in both_sides(f"eyeLook{way}")}
FULL_TURN = {"In": 28.0, "Out": 28.0, "Up": 22.0, "Down": 26.0}  # degrees at 1: those of the project's own head
STILL = 1e-3  # a channel that never exceeds this value does not move


@dataclass(frozen=True)
class LayeredMotion:
    """Channels of speech and, behind or among them, those of the layers.

    Attributes:
        channels: Names of the K channels.
        motion: Their values (F, K).
        basis: Offsets (K, V, 3) of the vertices for each channel at 1.
        layers: Names of the channels of each layer.
    """

    channels: list[str]
    motion: Floats
    basis: Floats
    layers: dict[str, list[str]]

    def columns(self, animated: list[int], layer: str = "") -> list[int]:
        """Return those of the animated columns that belong to the layer; without a layer, to speech."""
        owner = {name: layer for layer, names in self.layers.items() for name in names}
        return [k for k in animated if owner.get(self.channels[k], "") == layer]


def add_layers(channels: list[str], motion: Floats, basis: Floats, arrays: dict[str, Floats]) -> LayeredMotion:
    """Add the layers that a result holds.

    Args:
        channels: Names of the K channels of speech.
        motion: Their values (F, K).
        basis: Offsets (K, V, 3) of the vertices for each channel at 1.
        arrays: Of the result, see docs/protocol.md; "blinks" and "gaze" are read if they are there.
    """
    frames = len(motion)
    curves: dict[str, dict[str, Floats]] = {}
    if "blinks" in arrays and set(LIDS) <= set(channels):
        lids = [channels.index(name) for name in LIDS]
        left_over = 1 - np.clip(motion[:, lids].max(1), 0, 1)
        curves["blinks"] = {BLINK: arrays["blinks"][:frames] * left_over}
        shape = basis[lids].sum(0, keepdims=True)
        channels, basis = [*channels, BLINK], np.concatenate((basis, shape))
        motion = np.concatenate((motion, np.zeros((frames, 1), np.float32)), 1)
    if "gaze" in arrays:
        gaze = gaze_curves(arrays["gaze"][:frames])
        curves["gaze"] = {name: curve for name, curve in gaze.items() if name in channels}
    motion = motion.copy()
    for of_layer in curves.values():
        for name, curve in of_layer.items():
            motion[:, channels.index(name)] = curve
    return LayeredMotion(list(channels), motion, basis, {layer: list(names) for layer, names in curves.items()})


def gaze_curves(gaze: Floats) -> dict[str, Floats]:
    """Return the curves (F,) of the eight eyeLook channels for a gaze (F, 2) in degrees to the left and up."""
    left, right = np.maximum(gaze[:, 0], 0), np.maximum(-gaze[:, 0], 0)
    up, down = np.maximum(gaze[:, 1], 0), np.maximum(-gaze[:, 1], 0)
    # The way that the left and the right eye turn, and how far; "Out" is away from the nose.
    turns = (("Out", "In", left), ("In", "Out", right), ("Up", "Up", up), ("Down", "Down", down))
    curves: dict[str, Floats] = {}
    for of_left, of_right, degrees in turns:
        curves[both_sides(f"eyeLook{of_left}")[0]] = (degrees / FULL_TURN[of_left]).astype(np.float32)
        curves[both_sides(f"eyeLook{of_right}")[1]] = (degrees / FULL_TURN[of_right]).astype(np.float32)
    return curves
