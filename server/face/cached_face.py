"""The file of a cached face: its bytes, and the checks of bytes that nobody trusts.

A file may be cut, half zero, of another version, or made by somebody else. `decode` gives the face that `encode` got,
or raises: whatever it raises, the face is fitted anew.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arkit import CHANNELS

if TYPE_CHECKING:  # imports scipy, which would delay the server's first answer
    from .space import FaceSpace

FORMAT = "3"  # raised when the content of the files changes
DTYPES = {  # of each array of a FaceSpace
    "basis": np.float32,
    "landmarks68": np.float32,
    "landmark_vertices": np.int32,
    "identity": np.float32,
    "parts": np.int32,
    "fitted": np.float32,
}
LANDMARKS = 68
MAX_REPORT_BYTES = 1 << 20  # the longest report, with a seam over a dense mesh, has about 100 kB
MAX_OTHER_BYTES = 1 << 18  # of a file beside its large arrays and its report: the header, the fitted head, small arrays
MAX_PLACE = 1.0  # metres from the origin of the head's frame; the head reaches to .24
MAX_IDENTITY = 50.0  # standard deviations of a coefficient; fits of stylised heads have up to 10
# The greatest offset, as a multiple of the extent of the landmarks; a jaw at full strength moves by .3 of it.
MAX_OFFSET = 3.0
NOT_NEUTRAL = (
    "half_head",
    "front_only",
    "open_mouth",
    "smile",
    "unlike",
)  # those of neutral.SIGNS, which imports scipy
MAX_DEPTH = 6  # of lists and objects within each other in a report


def max_bytes(vertex_count: int) -> int:
    """Return the greatest size of the file of a mesh with this many vertices."""
    arrays = 4 * vertex_count * (3 * len(CHANNELS) + 1)
    return arrays + MAX_REPORT_BYTES + MAX_OTHER_BYTES


def encode(face: "FaceSpace", key: str) -> bytes:
    """Return the content of the file of a face whose key is `key`."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(getattr(face, name)) for name in DTYPES}
    texts = {"format": FORMAT, "channels": json.dumps(list(face.channels)), "report": json.dumps(face.report)}
    return save(arrays, {**texts, "checksum": _checksum(key, texts, arrays)})


def decode(data: bytes, key: str, vertex_count: int) -> "FaceSpace":
    """Return the face of a file.

    Args:
        data: Content of the file.
        key: Key of the face that is looked for.
        vertex_count: Number of vertices of its mesh.

    Raises:
        ValueError: If the content is of another format, mesh or version, or is not what was written.
        Exception: Another one, of the packages that read the content.
    """
    from safetensors.numpy import load

    from .head import load_head
    from .parts import SKIN, STILL
    from .space import FaceSpace

    if len(data) > max_bytes(vertex_count):
        raise ValueError("it is too large")
    arrays = load(data)  # checks that the header fits to the content
    texts = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    checksum = texts.pop("checksum")
    if texts.get("format") != FORMAT or texts.keys() != {"format", "channels", "report"}:
        raise ValueError("it has another format")
    shapes = {
        "basis": (len(CHANNELS), vertex_count, 3),
        "landmarks68": (LANDMARKS, 3),
        "landmark_vertices": (LANDMARKS,),
        "identity": (len(load_head().identity_modes),),
        "parts": (vertex_count,),
        "fitted": load_head().vertices.shape,
    }
    if {name: array.shape for name, array in arrays.items()} != shapes or any(
        array.dtype != DTYPES[name] for name, array in arrays.items()
    ):
        raise ValueError("its arrays have other shapes")
    if checksum != _checksum(key, texts, arrays):
        raise ValueError("its content has changed")
    if len(texts["report"]) > MAX_REPORT_BYTES:
        raise ValueError("its report is too long")
    channels, report = json.loads(texts["channels"]), json.loads(texts["report"])
    if channels != list(CHANNELS) or not is_report(report, vertex_count):
        raise ValueError("its report is not one of a fit")
    extent = float(np.ptp(arrays["landmarks68"].astype(float), axis=0).max())
    in_range = (
        math.isfinite(extent)
        and _within(arrays["basis"], -MAX_OFFSET * extent, MAX_OFFSET * extent)
        and _within(arrays["identity"], -MAX_IDENTITY, MAX_IDENTITY)
        and _within(arrays["parts"], SKIN, STILL)
        and _within(arrays["fitted"], -MAX_PLACE, MAX_PLACE)
        and _within(arrays["landmark_vertices"], 0, vertex_count - 1)
    )
    if not in_range:
        raise ValueError("its values are out of range")
    return FaceSpace(channels=CHANNELS, report=report, **{name: array.copy() for name, array in arrays.items()})


def _within(values: np.ndarray[Any, Any], low: float, high: float) -> bool:
    """Return whether all values are in a range; NaN is not."""
    return bool(((values >= low) & (values <= high)).all())


def _checksum(key: str, texts: Mapping[str, str], arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Return a hexadecimal SHA-256 of all that a file holds, and of its key."""
    digest = hashlib.sha256(json.dumps([key, texts["format"], texts["channels"], texts["report"]]).encode())
    for name in DTYPES:
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def is_report(report: object, vertex_count: int) -> bool:
    """Return whether a value may be the report of a fit: what the add-on reads of it has the right type and range.

    Args:
        report: A value read from JSON.
        vertex_count: Number of vertices of the mesh.
    """
    if not isinstance(report, dict) or not _is_plain(report, MAX_DEPTH):
        return False
    return all(check(report[name], vertex_count) for name, check in _REPORT.items() if name in report)


def _is_plain(value: object, depth: int) -> bool:
    """Return whether a value has finite numbers only, and lists and objects in at most `depth` levels."""
    if isinstance(value, dict | list):
        values = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(inner, depth - 1) for inner in values)
    return value is None or isinstance(value, str) or _is_number(value)


def _is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and low <= value <= high


def _is_index(value: object, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _is_list(value: object, is_good: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_good, value))


def _is_seam(value: object, vertex_count: int) -> bool:
    """Return whether a value is null, or tells of welded lips."""

    def is_row(row: object) -> bool:
        if not isinstance(row, list) or len(row) != 3:
            return False
        return all(_is_index(end, vertex_count) for end in row[:2]) and _is_number(row[2], 0, 1)

    if value is None:
        return True
    return isinstance(value, dict) and _is_number(value.get("jaw"), 0, 1) and _is_list(value.get("seam"), is_row)


def _is_doubt(value: object, vertex_count: int) -> bool:
    """Return whether a value tells of a piece whose name contradicts its shape."""
    from .parts import STILL

    def is_part(part: object) -> bool:
        return _is_index(part, STILL + 1)

    return (
        isinstance(value, dict)
        and _is_index(value.get("vertex"), vertex_count)
        and is_part(value.get("part"))
        and _is_list(value.get("named"), is_part)
        and isinstance(value.get("by_name"), bool)
    )


# The check of each field of a report, by its name: takes the value and the number of the mesh's vertices.
_REPORT: dict[str, Callable[[Any, int], bool]] = {
    "residual_mm": lambda value, _: _is_number(value, 0),
    "unmatched": lambda value, _: _is_number(value, 0, 1),
    "scale": lambda value, _: _is_number(value, 0),
    "seconds": lambda value, _: _is_number(value, 0),
    "flipped": lambda value, _: isinstance(value, dict) and all(_is_number(v, 0, 1) for v in value.values()),
    "own_head": lambda value, _: isinstance(value, bool),
    "shut_eyes": lambda value, _: _is_list(value, lambda side: side in ("left", "right")),
    "welded_lips": _is_seam,
    "doubtful_parts": lambda value, count: _is_list(value, lambda doubt: _is_doubt(doubt, count)),
    "landmark_confidence": lambda value, _: _is_list(value, lambda c: _is_number(c, 0, 1)) and len(value) == LANDMARKS,
    "check_landmarks": lambda value, _: _is_list(value, lambda index: _is_index(index, LANDMARKS)),
    "not_neutral": lambda value, _: _is_list(value, lambda sign: sign in NOT_NEUTRAL),
}
