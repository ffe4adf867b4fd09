"""What each layer moves on a face: names of shape keys, with a curve and a shape for each. No bpy.

- Blinks have a key of their own, which closes both lids. Its curve is scaled by what speech leaves of the way, so that
  lids which squint at the same time close fully and no further.
- The gaze moves the ARKit channels eyeLook…: where there is a gaze, the eyes are its own; speech does not move them.
"""

from dataclasses import dataclass

import numpy as np

BLINK, LIDS = "LSF blink", ("eyeBlinkLeft", "eyeBlinkRight")
LOOKS = {f"eyeLook{way}{side}" for way in ("In", "Out", "Up", "Down") for side in ("Left", "Right")}
FULL_TURN = {"In": 28.0, "Out": 28.0, "Up": 22.0, "Down": 26.0}  # degrees at 1: those of the project's own head
STILL = 1e-3  # a channel that never exceeds this value is still


@dataclass(frozen=True)
class LayeredMotion:
    """Channels of speech and, behind or among them, those of the layers."""

    channels: list[str]
    motion: np.ndarray  # (F, K) float32
    basis: np.ndarray  # (K, V, 3) float32
    layers: dict[str, list[str]]  # for each layer its channels

    def columns(self, animated: list[int], layer: str = "") -> list[int]:
        """Those of the animated columns that belong to the layer, or without one to speech."""
        owner = {name: layer for layer, names in self.layers.items() for name in names}
        return [k for k in animated if owner.get(self.channels[k], "") == layer]


def layered(channels: list[str], motion: np.ndarray, basis: np.ndarray, arrays: dict[str, np.ndarray]) -> LayeredMotion:
    """Add the layers that a result's `arrays` hold (see docs/protocol.md) to motion (F, K) and basis (K, V, 3)."""
    frames = len(motion)
    curves: dict[str, dict[str, np.ndarray]] = {}
    if "blinks" in arrays and set(LIDS) <= set(channels):
        lids = [channels.index(name) for name in LIDS]
        left_over = 1 - np.clip(motion[:, lids].max(1), 0, 1)
        curves["blinks"] = {BLINK: arrays["blinks"][:frames] * left_over}
        shape = basis[lids].sum(0, keepdims=True)
        channels, basis = [*channels, BLINK], np.concatenate((basis, shape))
        motion = np.concatenate((motion, np.zeros((frames, 1), np.float32)), 1)
    if "gaze" in arrays:
        curves["gaze"] = {name: curve for name, curve in looks(arrays["gaze"][:frames]).items() if name in channels}
    motion = motion.copy()
    for of_layer in curves.values():
        for name, curve in of_layer.items():
            motion[:, channels.index(name)] = curve
    return LayeredMotion(list(channels), motion, basis, {layer: list(names) for layer, names in curves.items()})


def looks(gaze: np.ndarray) -> dict[str, np.ndarray]:
    """Gaze (F, 2) in degrees to the left and up, as curves of the eight eyeLook channels."""
    left, right = np.maximum(gaze[:, 0], 0), np.maximum(-gaze[:, 0], 0)
    up, down = np.maximum(gaze[:, 1], 0), np.maximum(-gaze[:, 1], 0)
    turns = {
        "OutLeft": left,
        "InRight": left,
        "InLeft": right,
        "OutRight": right,
        "UpLeft": up,
        "UpRight": up,
        "DownLeft": down,
        "DownRight": down,
    }
    return {
        f"eyeLook{name}": degrees / FULL_TURN[name.removesuffix("Left").removesuffix("Right")]
        for name, degrees in turns.items()
    }
