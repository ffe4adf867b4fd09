"""What the server predicted for a line, kept in the file on the Action that was made from it.

The curves can so be made again, in another way, without the model. Values are rounded to steps of 1/32768 of the power
of two above the largest; differences from frame to frame are compressed. A minute of 52 channels takes about 100 kB.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_prediction"  # custom property on the Action
VERSION = 1
ARRAYS = {"motion": 2, "expression": 2, "emotion": 2, "lips": 3}  # and their dimensions
STEPS = 32768


@dataclass(frozen=True)
class Prediction:
    """A line as the server predicted it: F frames, one a scene frame, of K channels."""

    strip: str  # names of the strip and its scene
    scene: str
    fps: float  # of the scene
    first_frame: int  # of the scene: that of row 0
    channels: tuple[str, ...]  # K names of shape keys
    motion: np.ndarray  # (F, K) float32, all of it, emotion too
    expression: np.ndarray  # (F, K) float32: the part of `motion` that emotion adds; zeros if it is not known
    emotions: tuple[str, ...]  # E names
    emotion: np.ndarray  # (F, E) float32: what the voice implies; E may be 0
    temperature: float
    seed: int
    lips: np.ndarray  # (K, L, 3) float32 millimetres, see lips.measure; L is 0 if the lips are not known


def rounded(prediction: Prediction) -> Prediction:
    """The prediction exactly as `load` will return it."""
    return replace(
        prediction,
        **{name: unpacked(packed(getattr(prediction, name)), dimensions) for name, dimensions in ARRAYS.items()},
    )


def store(action: bpy.types.Action, prediction: Prediction) -> None:
    """Keep the prediction on the Action, instead of an earlier one."""
    arrays = {name: packed(getattr(prediction, name)) for name in ARRAYS}
    action[PROPERTY] = {
        "version": VERSION,
        "strip": prediction.strip,
        "scene": prediction.scene,
        "fps": float(prediction.fps),
        "first_frame": int(prediction.first_frame),
        "channels": "\n".join(prediction.channels),
        "emotions": "\n".join(prediction.emotions),
        "temperature": float(prediction.temperature),
        "seed": str(prediction.seed),  # it may be larger than an int property
        "has_expression": bool(np.any(prediction.expression)),
        **arrays,
    }


def load(action: bpy.types.Action | None) -> Prediction | None:
    """The Action's prediction; None if there is none that this version can read."""
    kept = action.get(PROPERTY) if action else None
    if not hasattr(kept, "to_dict") or kept.get("version") != VERSION:
        return None
    try:
        prediction = Prediction(
            strip=str(kept["strip"]),
            scene=str(kept["scene"]),
            fps=float(kept["fps"]),
            first_frame=int(kept["first_frame"]),
            channels=_names(kept["channels"]),
            emotions=_names(kept["emotions"]),
            temperature=float(kept["temperature"]),
            seed=int(kept["seed"]),
            **{name: unpacked(kept[name], dimensions) for name, dimensions in ARRAYS.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, zlib.error):
        return None
    frames, channels = prediction.motion.shape
    whole = (
        frames > 0
        and prediction.fps > 0
        and channels == len(prediction.channels) == len(prediction.lips)
        and prediction.expression.shape == (frames, channels)
        and prediction.lips.shape[2] == 3
        and prediction.emotion.shape == (frames, len(prediction.emotions))
    )
    return prediction if whole else None


def move(action: bpy.types.Action, frames: int) -> None:
    """Take note that the line of the Action's prediction lies later now."""
    action[PROPERTY]["first_frame"] += frames


def has_expression(action: bpy.types.Action) -> bool:
    """Whether the Action's prediction tells which part of it emotion adds. Quick enough for a panel."""
    kept = action.get(PROPERTY)
    return hasattr(kept, "to_dict") and bool(kept.get("has_expression"))


class Implied(NamedTuple):
    """What the voice of a line implies."""

    fps: float
    first_frame: int
    emotions: tuple[str, ...]  # E names
    emotion: np.ndarray  # (F, E) float32


def implied(action: bpy.types.Action) -> Implied | None:
    """Only this part of the Action's prediction: quick enough for a panel."""
    kept = action.get(PROPERTY)
    try:
        found = Implied(
            float(kept["fps"]),
            int(kept["first_frame"]),
            _names(kept["emotions"]),
            unpacked(kept["emotion"], ARRAYS["emotion"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, zlib.error):
        return None
    return found if found.fps > 0 and found.emotion.shape[1] == len(found.emotions) else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def packed(array: np.ndarray) -> dict:
    """The array as an ID property holds it; packing what was unpacked gives the same again."""
    array = np.asarray(array, np.float32)
    largest = float(np.abs(array).max(initial=0))
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest else 1.0
    numbers = np.clip(np.rint(array / scale * STEPS), -STEPS, STEPS - 1).astype(np.int32)
    steps = np.diff(numbers, axis=0, prepend=0) if array.size else numbers
    planes = steps.astype("<i2").T.copy().view(np.uint8).reshape(-1, 2).T  # wraps around, and back in unpacked
    return {"shape": list(array.shape), "scale": scale, "bytes": zlib.compress(planes.tobytes(), 6)}


def unpacked(kept, dimensions: int) -> np.ndarray:
    """float32. Raises one of many errors if the property was damaged."""
    shape, scale = tuple(int(n) for n in kept["shape"]), float(kept["scale"])
    size = int(np.prod(shape))
    if len(shape) != dimensions or min(shape) < 0 or not 0 < scale < np.inf:
        raise ValueError("shape or scale")
    unpacker = zlib.decompressobj()
    planes = np.frombuffer(unpacker.decompress(kept["bytes"], 2 * size + 1), np.uint8)
    if len(planes) != 2 * size:
        raise ValueError("length")
    steps = np.ascontiguousarray(planes.reshape(2, size).T).view("<i2").reshape(shape[::-1]).T
    numbers = np.cumsum(steps, axis=0, dtype=np.int16)
    return np.ascontiguousarray(numbers.astype(np.float32) * np.float32(scale / STEPS))
