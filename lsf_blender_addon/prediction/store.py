"""Stores the server's prediction for a line in the file, on the Action that was made from it. No bpy at run time.

So the curves can be made again with other settings, without the model. Values are rounded to 1/32768 of the next power
of two above the largest. The differences between frames are compressed: a minute of 52 channels takes about 100 kB.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_prediction"  # custom property on the Action
VERSION = 2  # of the record
VERSION_0_1 = 1  # add-on 0.1.0: the drive is a property of its own, DRIVE_0_1, for all takes of the Action
DRIVE_0_1 = "lsf_drive"
ARRAYS = {"motion": 2, "expression": 2, "emotion": 2, "lips": 3}  # number of dimensions of each
MIN_EXPRESSION = 1e-4  # weight of a channel; less is the rounding of a difference, not an emotion
STEPS = 32768  # quantisation steps on either side of 0: the range of int16
# Errors of a damaged record.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, zlib.error)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The server's prediction for a line: values of K channels at F scene frames."""

    strip: str  # names of the strip and its scene
    scene: str
    fps: float  # of the scene
    first_frame: int  # scene frame of row 0
    channels: tuple[str, ...]  # K names of shape keys
    motion: Floats  # (F, K) values of the channels, including those of emotion
    expression: Floats  # (F, K) the part of `motion` that emotion adds; zeros if it is not known
    emotions: tuple[str, ...]  # E names
    emotion: Floats  # (F, E) weights of the emotions that were detected in the voice; E may be 0
    temperature: float  # settings of the request, see docs/protocol.md
    seed: int
    lips: Floats  # (K, L, 3) offsets of the lips in millimetres, see lips.measure; L is 0 if the lips are not known
    heard_lines: int = 0  # of the same head with which the voice was compared, this line included; 0: not known
    drive: Drive | None = None  # how the head's own keys follow the channels; None if channels have keys of their own


def rounded(prediction: Prediction) -> Prediction:
    """Return the prediction exactly as `load` will return it, with rounded arrays."""
    drive = prediction.drive
    if drive is not None:
        matrix, residual = (unpacked(packed(array), 2) for array in (drive.matrix, drive.residual))
        drive = replace(drive, matrix=matrix, residual=residual)
    motion, expression, emotion, lips = (
        unpacked(packed(getattr(prediction, name)), dimensions) for name, dimensions in ARRAYS.items()
    )
    return replace(prediction, motion=motion, expression=expression, emotion=emotion, lips=lips, drive=drive)


def store(action: bpy.types.Action, prediction: Prediction) -> None:
    """Store a prediction on an Action; it replaces an earlier one."""
    arrays = {name: packed(getattr(prediction, name)) for name in ARRAYS}
    record = {
        "version": VERSION,
        "strip": prediction.strip,
        "scene": prediction.scene,
        "fps": float(prediction.fps),
        "first_frame": int(prediction.first_frame),
        "channels": "\n".join(prediction.channels),
        "emotions": "\n".join(prediction.emotions),
        "temperature": float(prediction.temperature),
        "seed": str(prediction.seed),  # it may be larger than an int property
        "heard_lines": int(prediction.heard_lines),
        "has_expression": bool(np.any(np.abs(prediction.expression) > MIN_EXPRESSION)),
        **arrays,
    }
    if prediction.drive is not None:
        record["drive"] = _drive_record(prediction.drive)
    action[PROPERTY] = record


def load(action: bpy.types.Action | None) -> Prediction | None:
    """Return the Action's prediction; None if there is none that this version can read."""
    kept: Any = action.get(PROPERTY) if action else None
    if action is None or not hasattr(kept, "to_dict") or kept.get("version") not in (VERSION_0_1, VERSION):
        return None
    drive = kept.get("drive") if kept["version"] == VERSION else action.get(DRIVE_0_1)
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
            heard_lines=int(kept.get("heard_lines", 0)),
            drive=None if drive is None else _drive(drive),
            **{name: unpacked(kept[name], dimensions) for name, dimensions in ARRAYS.items()},
        )
    except UNREADABLE:
        return None
    return prediction if _is_whole(prediction) else None


def is_stored(action: bpy.types.Action) -> bool:
    """Return whether the Action has a prediction, readable or not. Fast enough for a panel."""
    return action.get(PROPERTY) is not None


def move(action: bpy.types.Action, frames: int) -> None:
    """Record that the line of the Action's prediction now begins `frames` frames later."""
    action[PROPERTY]["first_frame"] += frames


def has_expression(action: bpy.types.Action) -> bool:
    """Return whether the Action's prediction has a part that emotion adds. Fast enough for a panel."""
    kept: Any = action.get(PROPERTY)
    return hasattr(kept, "to_dict") and bool(kept.get("has_expression"))


class DetectedEmotion(NamedTuple):
    """The emotions that were detected in the voice of a line; attributes as in Prediction."""

    fps: float
    first_frame: int
    emotions: tuple[str, ...]
    emotion: Floats
    heard_lines: int


def detected_emotion(action: bpy.types.Action) -> DetectedEmotion | None:
    """Return the emotions of the Action's prediction, None if there are none. Fast enough for a panel."""
    kept: Any = action.get(PROPERTY)
    try:
        found = DetectedEmotion(
            float(kept["fps"]),
            int(kept["first_frame"]),
            _names(kept["emotions"]),
            unpacked(kept["emotion"], ARRAYS["emotion"]),
            int(kept.get("heard_lines", 0)),
        )
    except UNREADABLE:
        return None
    return found if found.fps > 0 and found.emotion.shape[1] == len(found.emotions) else None


def packed(array: NDArray[np.floating]) -> dict[str, Any]:
    """Compress an array for an ID property. An array from `unpacked` gives the same record again."""
    array = np.asarray(array, np.float32)
    largest = float(np.abs(array).max(initial=0))
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest else 1.0
    numbers = np.clip(np.rint(array / scale * STEPS), -STEPS, STEPS - 1).astype(np.int32)
    steps = np.diff(numbers, axis=0, prepend=0) if array.size else numbers
    planes = steps.astype("<i2").T.copy().view(np.uint8).reshape(-1, 2).T  # may wrap around; `unpacked` undoes that
    return {"shape": list(array.shape), "scale": scale, "bytes": zlib.compress(planes.tobytes(), 6)}


def unpacked(kept: Any, dimensions: int) -> Floats:
    """Read an array from an ID property.

    Args:
        kept: The property, as `packed` makes it.
        dimensions: Number of dimensions that the array must have.

    Raises:
        Exception: One of UNREADABLE, if the property is damaged.
    """
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


def _names(text: str) -> tuple[str, ...]:
    """Return the names in a text with one name a line."""
    return tuple(text.split("\n")) if text else ()


def _drive_record(drive: Drive) -> dict[str, Any]:
    """Return the drive as an ID property holds it."""
    return {
        "keys": "\n".join(drive.keys),
        "low": drive.low.tolist(),
        "high": drive.high.tolist(),
        "matrix": packed(drive.matrix),
        "residual": packed(drive.residual),
    }


def _drive(kept: Any) -> Drive:
    """Read a drive from an ID property. Raises one of UNREADABLE if the property is damaged."""
    return Drive(
        tuple(kept["keys"].split("\n")),
        unpacked(kept["matrix"], 2),
        unpacked(kept["residual"], 2),
        np.array(kept["low"], np.float32),
        np.array(kept["high"], np.float32),
    )


def _is_whole(prediction: Prediction) -> bool:
    """Return whether the shapes of a prediction's arrays fit together."""
    frames, channels = prediction.motion.shape
    drive = prediction.drive
    return (
        frames > 0
        and prediction.fps > 0
        and channels == len(prediction.channels) == len(prediction.lips)
        and prediction.expression.shape == (frames, channels)
        and prediction.lips.shape[2] == 3
        and prediction.emotion.shape == (frames, len(prediction.emotions))
        and (drive is None or drive.matrix.shape == (channels, len(drive.keys)))
        and (drive is None or drive.residual.shape == (frames, len(drive.keys)))
    )
