"""Stores the server's predictions for the lines of a head in the file, on the head's Action. No bpy at run time.

So the curves can be made again with other settings, without the model. Values are rounded to 1/32768 of the next power
of two above the largest. The differences between frames are compressed: a minute of 52 channels takes about 100 kB.

A file may come from anybody. So the shapes in a record are compared with each other and with limits before anything is
unpacked: a megabyte may unpack to a gigabyte.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..rigs.drive import Drive

if TYPE_CHECKING:
    from collections.abc import Mapping

    import bpy

PROPERTY = "lsf_predictions"  # custom property on the Action: {uid of the line: record}
VERSION = 3  # of the record
ARRAYS = {"motion": 2, "expression": 2, "emotion": 2, "lips": 3, "blinks": 2, "gaze": 3}  # dimensions of each
DRIVE_ARRAYS = {"matrix": 2, "residual": 2}
MIN_EXPRESSION = 1e-4  # weight of a channel; less is the rounding of a difference, not an emotion
STEPS = 32768  # quantisation steps on either side of 0: the range of int16
MAX_NUMBERS = 1 << 26  # in all arrays of a prediction: an hour of speech at 60 fps, with 100 keys of the head's own
MAX_FRAMES = 1 << 20  # of a line: four hours, the longest sound, at 72 fps
MAX_EMOTIONS = 16  # there are eight
MAX_SHOWN_FRAMES = 1 << 15  # of detected emotions: 23 minutes at 24 fps; of longer lines every n-th frame
MAX_NAMES = 4096  # of channels, of emotions or of keys
MAX_SCALE = 2.0**40  # the largest value of an array; what is multiplied with it stays finite
MAX_MODEL = 200  # letters of the models' names
MAX_STYLE = 64  # letters of the text that tells of a style
MAX_EXPRESSIONS = 10_000  # letters of the text that tells of expressions; 64 have 2,000
MIN_FPS, MAX_FPS = 0.01, 10_000.0
# Errors of a damaged record.
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, zlib.error)

Floats = NDArray[np.float32]

NO_BLINKS: Floats = np.zeros((0, 0), np.float32)
NO_GAZE: Floats = np.zeros((0, 0, 2), np.float32)


@dataclass(frozen=True)
class Prediction:
    """The server's prediction for a line: values of K channels at F scene frames."""

    fps: float  # of the scene
    channels: tuple[str, ...]  # K names of shape keys
    motion: Floats  # (F, K) values of the channels, including those of emotion
    expression: Floats  # (F, K) the part of `motion` that emotion adds; zeros if it is not known
    emotions: tuple[str, ...]  # E names
    emotion: Floats  # (F, E) weights of the emotions that were detected in the voice; E may be 0
    temperature: float  # settings of the request, see docs/protocol.md
    seed: int
    lips: Floats  # (K, L, 3) offsets of the lips in millimetres, see lips.measure; L is 0 if the lips are not known
    blinks: Floats = field(
        default_factory=lambda: NO_BLINKS
    )  # (V, F) closure of the lids in each of V variants, not part of `motion`; V may be 0
    gaze: Floats = field(default_factory=lambda: NO_GAZE)  # (V, F, 2) degrees to the head's left and up, likewise
    heard_lines: int = 0  # of the same head with which the voice was compared, this line included; 0: not known
    drive: Drive | None = None  # how the head's own keys follow the channels; None if channels have keys of their own
    expressions: str = ""  # of the bank, with which it was made: what scene.expression_bank.digests returns
    style: str = ""  # of the head, with which it was made: what scene.style_cards.digest returns
    model: str = ""  # name of the model that made it, and the start of the digest of its weights; "": not known


def rounded(prediction: Prediction) -> Prediction:
    """Return the prediction exactly as `load` will return it, with rounded arrays.

    Raises:
        UserError: It is too large to be stored.
    """
    _check_size(prediction)
    drive = prediction.drive
    if drive is not None:
        matrix, residual = (unpacked(packed(array), 2) for array in (drive.matrix, drive.residual))
        drive = replace(drive, matrix=matrix, residual=residual)
    arrays: dict[str, Any] = {
        name: unpacked(packed(getattr(prediction, name)), dimensions) for name, dimensions in ARRAYS.items()
    }
    return replace(prediction, **arrays, drive=drive)


def store(action: bpy.types.Action, uid: str, prediction: Prediction) -> None:
    """Store the prediction of a line on its Action; it replaces an earlier one.

    Raises:
        UserError: It is too large. The earlier one stays.
    """
    _check_size(prediction)
    arrays = {name: packed(getattr(prediction, name)) for name in ARRAYS}
    record = {
        "version": VERSION,
        "fps": float(prediction.fps),
        "channels": "\n".join(prediction.channels),
        "emotions": "\n".join(prediction.emotions),
        "temperature": float(prediction.temperature),
        "seed": str(prediction.seed),  # it may be larger than an int property
        "heard_lines": int(prediction.heard_lines),
        "model": prediction.model[:MAX_MODEL],
        "expressions": prediction.expressions,
        "style": prediction.style,
        "has_expression": bool(np.any(np.abs(prediction.expression) > MIN_EXPRESSION)),
        **arrays,
    }
    if prediction.drive is not None:
        record["drive"] = _drive_record(prediction.drive)
    set_record(action, PROPERTY, uid, record)


def _check_size(prediction: Prediction) -> None:
    """Raise UserError if `is_readable` would refuse the prediction for its size."""
    arrays = [getattr(prediction, name) for name in ARRAYS]
    if prediction.drive is not None:
        arrays += [getattr(prediction.drive, name) for name in DRIVE_ARRAYS]
    if len(prediction.motion) > MAX_FRAMES or sum(array.size for array in arrays) > MAX_NUMBERS:
        raise UserError("The line is too long to be kept in the file: cut its strip into shorter ones")


def load(action: bpy.types.Action, uid: str) -> Prediction | None:
    """Return the prediction of a line; None if there is none that this version can read."""
    return read(record_of(action, PROPERTY, uid))


def read(kept: Any) -> Prediction | None:
    """Return the prediction in a record, an ID property; None if this version cannot read it."""
    if not is_readable(kept):
        return None
    drive = kept.get("drive")
    try:
        arrays: dict[str, Any] = {name: unpacked(kept[name], dimensions) for name, dimensions in ARRAYS.items()}
        return Prediction(
            fps=float(kept["fps"]),
            channels=_names(kept["channels"]),
            emotions=_names(kept["emotions"]),
            temperature=float(kept["temperature"]),
            seed=int(kept["seed"]),
            heard_lines=int(kept["heard_lines"]),
            model=model_of(kept),
            expressions=expressions_of(kept),
            style=style_of(kept),
            drive=None if drive is None else _drive(drive),
            **arrays,
        )
    except UNREADABLE:
        return None


def model_of(kept: Any) -> str:
    """Return which model made the prediction in a record, an ID property or its dict; "" if that is not known.

    Add-ons up to 0.1 have not recorded it. A file may hold anything there, so it is cut to one line.
    """
    model = kept.get("model") if hasattr(kept, "get") else None
    return "".join(filter(str.isprintable, model[:MAX_MODEL])) if isinstance(model, str) else ""


def style_of(kept: Any) -> str:
    """Return with which style the prediction in a record was made; "" for none. As `expressions_of`."""
    found = kept.get("style") if hasattr(kept, "get") else None
    return found if isinstance(found, str) and len(found) <= MAX_STYLE else ""


def expressions_of(kept: Any) -> str:
    """Return with which expressions the prediction in a record, an ID property, was made; "" for none.

    Fast enough for a panel. A file may hold anything there.
    """
    found = kept.get("expressions") if hasattr(kept, "get") else None
    return found if isinstance(found, str) and len(found) <= MAX_EXPRESSIONS else ""


def is_readable(kept: Any) -> bool:
    """Return whether a record, an ID property, is a prediction that this version can read.

    Nothing is unpacked: it is fast enough for a panel, and does not notice bytes that are damaged.
    """
    if not hasattr(kept, "to_dict") or kept.get("version") != VERSION:
        return False
    drive = kept.get("drive")
    try:
        shapes = {name: _shape(kept[name], dimensions) for name, dimensions in ARRAYS.items()}
        if drive is not None:
            shapes |= {name: _shape(drive[name], dimensions) for name, dimensions in DRIVE_ARRAYS.items()}
        return (
            sum(map(math.prod, shapes.values())) <= MAX_NUMBERS
            and MIN_FPS <= float(kept["fps"]) <= MAX_FPS
            and math.isfinite(float(kept["temperature"]))
            and min(int(kept["heard_lines"]), int(kept["seed"])) >= 0
            and _fit_together(shapes, _names(kept["channels"]), _names(kept["emotions"]))
            and (drive is None or _drive_fits(shapes, drive))
        )
    except UNREADABLE:
        return False


def set_limits(kept: Any, limits: Mapping[str, tuple[float, float]]) -> None:
    """Set new limits of keys in the drive of a record, an ID property.

    A record without a drive, or one that cannot be read, stays as it is.

    Args:
        kept: The record of a prediction.
        limits: Names of keys, and the ends of their sliders.
    """
    if not is_readable(kept) or kept.get("drive") is None:
        return
    drive: Any = kept["drive"]
    ends = list(zip(drive["keys"].split("\n"), drive["low"], drive["high"], strict=True))
    drive["low"] = [float(limits.get(key, (low, high))[0]) for key, low, high in ends]
    drive["high"] = [float(limits.get(key, (low, high))[1]) for key, low, high in ends]


def is_stored(action: bpy.types.Action, uid: str) -> bool:
    """Return whether a line has a prediction, readable or not. Fast enough for a panel."""
    return record_of(action, PROPERTY, uid) is not None


def remove(action: bpy.types.Action, uid: str) -> None:
    """Delete the prediction of a line."""
    set_record(action, PROPERTY, uid, None)


def has_expression(action: bpy.types.Action, uid: str) -> bool:
    """Return whether a line's prediction has a part that emotion adds. Fast enough for a panel."""
    kept = record_of(action, PROPERTY, uid)
    return hasattr(kept, "to_dict") and bool(kept.get("has_expression"))


def has_eyes(action: bpy.types.Action, uid: str) -> bool:
    """Return whether a line's prediction has blinks or a gaze. Fast enough for a panel."""
    kept = record_of(action, PROPERTY, uid)
    try:
        return any(kept[name]["shape"][0] > 0 for name in ("blinks", "gaze"))
    except UNREADABLE:
        return False


def record_of(action: bpy.types.Action, name: str, uid: str) -> Any:
    """Return what a custom property of the Action, with a record for each line, holds for a line; None if nothing."""
    kept: Any = action.get(name)
    return kept.get(uid) if hasattr(kept, "to_dict") else None


def set_record(action: bpy.types.Action, name: str, uid: str, record: dict[str, Any] | None) -> None:
    """Set the record of a line in a custom property of the Action, or delete it; the other lines' records stay."""
    kept: Any = action.get(name)
    if not hasattr(kept, "to_dict"):
        if record is None:
            return
        action[name] = {}
        kept = action[name]
    if record is not None:
        kept[uid] = record
    elif uid in kept.keys():  # noqa: SIM118  # an ID property is no dictionary
        del kept[uid]


@dataclass(frozen=True, eq=False)
class DetectedEmotion:
    """The emotions that were detected in the voice of a line, as a panel shows them; attributes as in Prediction.

    Of a line of more than MAX_SHOWN_FRAMES frames it has every n-th one, at that lower frame rate.
    """

    fps: float
    emotions: tuple[str, ...]
    emotion: Floats
    heard_lines: int


_detected: dict[tuple[Any, ...], DetectedEmotion] = {}  # of the last line that was asked for, by its record


def detected_emotion(action: bpy.types.Action, uid: str) -> DetectedEmotion | None:
    """Return the emotions of a line's prediction, None if there are none.

    Fast enough for a panel. As long as the same line is asked for and its record stays, this is the same object.
    """
    kept = record_of(action, PROPERTY, uid)
    if not is_readable(kept):
        return None
    packed_emotion = kept["emotion"]
    try:
        content = packed_emotion["bytes"]
        fps, names, heard = float(kept["fps"]), kept["emotions"], int(kept["heard_lines"])
        key = fps, names, heard, tuple(packed_emotion["shape"]), float(packed_emotion["scale"]), zlib.crc32(content)
        if key not in _detected:
            emotion = unpacked(packed_emotion, ARRAYS["emotion"])
            step = -(-len(emotion) // MAX_SHOWN_FRAMES)
            found = DetectedEmotion(fps / step, _names(names), emotion[::step].copy(), heard)
            _detected.clear()
            _detected[key] = found
        return _detected[key]
    except UNREADABLE:
        return None


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
    shape, scale = _shape(kept, dimensions), float(kept["scale"])
    size = math.prod(shape)
    if not 0 < scale <= MAX_SCALE or size > MAX_NUMBERS:
        raise ValueError("scale or size")
    unpacker = zlib.decompressobj()
    planes = np.frombuffer(unpacker.decompress(kept["bytes"], 2 * size + 1), np.uint8)
    if len(planes) != 2 * size:
        raise ValueError("length")
    steps = np.ascontiguousarray(planes.reshape(2, size).T).view("<i2").reshape(shape[::-1]).T
    numbers = np.cumsum(steps, axis=0, dtype=np.int16)
    return np.ascontiguousarray(numbers.astype(np.float32) * np.float32(scale / STEPS))


def _names(text: str) -> tuple[str, ...]:
    """Return the names in a text, one a line. Raises ValueError if there are too many, or if one is there twice."""
    names = tuple(text.split("\n", MAX_NAMES)) if text else ()
    if len(names) > MAX_NAMES or len(set(names)) < len(names):
        raise ValueError("names")
    return names


def _shape(kept: Any, dimensions: int) -> tuple[int, ...]:
    """Return the shape of a packed array, an ID property. Raises one of UNREADABLE if it cannot be right."""
    given = kept["shape"]
    if len(given) != dimensions or not isinstance(kept["bytes"], bytes):
        raise ValueError("dimensions or bytes")
    shape = tuple(int(n) for n in given)
    if min(shape) < 0 or math.prod(max(n, 1) for n in shape) > MAX_NUMBERS:
        raise ValueError("shape")
    return shape


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
        _names(kept["keys"]),
        unpacked(kept["matrix"], 2),
        unpacked(kept["residual"], 2),
        np.array(kept["low"], np.float32),
        np.array(kept["high"], np.float32),
    )


def _fit_together(shapes: Mapping[str, tuple[int, ...]], channels: tuple[str, ...], emotions: tuple[str, ...]) -> bool:
    """Return whether the shapes of a prediction's arrays fit together."""
    frames = shapes["motion"][0]
    variants, looks = shapes["blinks"][0], shapes["gaze"][0]
    return (
        0 < frames <= MAX_FRAMES
        and shapes["motion"] == shapes["expression"] == (frames, len(channels))
        and (shapes["lips"][0], shapes["lips"][2]) == (len(channels), 3)
        and shapes["emotion"] == (frames, len(emotions))
        and len(emotions) <= MAX_EMOTIONS
        and shapes["blinks"][1] == (frames if variants else 0)
        and shapes["gaze"][1:] == (frames if looks else 0, 2)
    )


def _drive_fits(shapes: Mapping[str, tuple[int, ...]], drive: Any) -> bool:
    """Return whether a drive, an ID property, fits the shapes of its prediction. Raises one of UNREADABLE, too."""
    frames, channels = shapes["motion"]
    keys = len(_names(drive["keys"]))
    low, high = drive["low"], drive["high"]
    return (
        shapes["matrix"] == (channels, keys)
        and shapes["residual"] == (frames, keys)
        and len(low) == len(high) == keys
        and not any(math.isnan(limit) for limit in (*low, *high))
    )
