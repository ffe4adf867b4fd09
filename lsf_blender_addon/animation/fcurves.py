"""Generated F-curves: writes them, and rewrites them around the keys that the artist has edited by hand.

What was written is recorded on the Action, key by key: a comparison tells later which keys the artist has edited.
Only F-curves that are named in the record are ever changed, and of these only the keys: modifiers and colours stay.
Curves that the artist has locked are not changed at all.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from . import action_cache, key_reduction, user_edits
from .curve_plan import Keying
from .user_edits import Range

PROPERTY = "lsf_curves"  # custom property on the Action that holds the record
TRANSITION = 0.16  # seconds in which generated motion goes over into the artist's keys


@dataclass(frozen=True)
class Record:
    """What was written on an Action.

    Attributes:
        keys: Generated keys by data path, without those of the artist.
        ranges: Frames that the artist has keyed by hand, by data path.
        checksums: Checksum of the motion that a curve was written for, by data path.
        automatic: Whether Blender places the handles.
        frames: Frames of the motion.
        value: Largest error of a shape key's value.
        millimetres: Largest error on the lips.
    """

    keys: dict[str, key_reduction.Keys] = field(default_factory=dict)
    ranges: dict[str, list[Range]] = field(default_factory=dict)
    checksums: dict[str, int] = field(default_factory=dict)
    automatic: bool = False
    frames: int = 0
    value: float = 0.0
    millimetres: float = 0.0

    def summary(self, iface: Callable[[str], str] = str) -> str:
        """Return a sentence for the artist: how many keys, and how far they are from the motion.

        Args:
            iface: Translates the sentence.
        """
        count = sum(len(keys.frames) for keys in self.keys.values())
        if self.automatic or not count:
            return iface("{count} keys, one on every frame").format(count=count)
        error = f"{self.value:.3f}"
        if self.millimetres >= 0.05:
            error = iface("{error} mm on the lips").format(error=f"{self.millimetres:.1f}")
        return iface("{count} keys, {ratio}x fewer than frames; largest error {error}").format(
            count=count, ratio=f"{self.frames * len(self.keys) / count:.1f}", error=error
        )


@dataclass(frozen=True)
class Edits:
    """What the artist has changed by hand on generated curves: ranges of scene frames by data path, deleted curves."""

    ranges: dict[str, list[Range]]
    deleted: frozenset[str]


def value_path(name: str) -> str:
    """Return the data path of a shape key's value, from the Key data-block."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def write(
    action: bpy.types.Action,
    names: list[str],
    motion: NDArray[np.float32],
    first_frame: int,
    keying: Keying,
    moved: int = 0,
    keep: bool = True,
    restore_deleted: bool = True,
) -> list[str]:
    """Write one curve for each shape key.

    Generated curves of other names are removed, unless the artist has keyed on them: these go to 0. Curves that the
    artist has made or locked are left alone. So are curves that the artist has keyed by hand if their motion is the
    same as before.

    Args:
        action: The Action to write to.
        names: K names of shape keys.
        motion: Values (F, K), one row a scene frame.
        first_frame: Scene frame of the first row.
        keying: How motion becomes keys.
        moved: Frames by which the artist's keys move with the line.
        keep: Whether the keys stay that the artist has edited on generated curves.
        restore_deleted: Whether generated curves come back that the artist has deleted.

    Returns:
        Data paths of the generated curves that the Action holds now.
    """
    fcurves = compat.key_fcurves(action)
    existing = {fcurve.data_path: fcurve for fcurve in fcurves}
    record, transition = load(action), TRANSITION * keying.fps
    ranges = _shifted(edited_ranges(action, transition), moved) if keep else {}
    # The columns are what is written, by data path; of the unchanged curves, the keys and their record stay.
    protected = {path for path, fcurve in existing.items() if fcurve.lock or path not in record.keys}
    unchanged = record.keys.keys() & protected | (set() if restore_deleted else record.keys.keys() - existing.keys())
    zeros = np.zeros(len(motion), np.float32)
    columns = {path: zeros for path in ranges if path not in protected}
    columns |= {
        path: motion[:, k] for k, path in enumerate(map(value_path, names)) if path not in unchanged | protected
    }
    for path in existing.keys() - columns.keys() - protected:
        fcurves.remove(existing.pop(path))
    checksums = {path: _checksum(values, first_frame, keying) for path, values in columns.items()}
    if not moved and not shift(action):
        unchanged |= {path for path in ranges.keys() & columns.keys() if checksums[path] == record.checksums.get(path)}
        columns = {path: values for path, values in columns.items() if path not in unchanged}
    # The generated keys end at the borders around the artist's keys.
    borders = {path: user_edits.borders(ranges.get(path, []), transition) for path in columns}
    reduced = _reduce(columns, names, first_frame, keying, borders)
    written = {path: record.keys[path] for path in unchanged}
    for path, keys in zip(columns, reduced.keys, strict=True):
        written[path] = keys.without(user_edits.is_between_borders(keys.frames, borders[path]))
        artist_keys = _keys_inside(existing[path], ranges[path], moved) if path in ranges else []
        _set_keys(existing.get(path) or fcurves.new(path), written[path], artist_keys, keying.bound is None)
    checksums = {path: checksums.get(path, record.checksums.get(path, 0)) for path in written}
    automatic = keying.bound is None
    _store(action, Record(written, ranges, checksums, automatic, len(motion), reduced.value_error, reduced.lip_error))
    action_cache.forget(action)
    return [path for path in written if path in columns or path in existing]


def edited_ranges(action: bpy.types.Action, transition: float = 0.0) -> dict[str, list[Range]]:
    """Find what the artist has keyed by hand on generated curves.

    This reads every key, which takes 50 to 300 ms for a minute of 52 dense curves: panels ask `edits`.

    Args:
        action: The Action with the curves.
        transition: Frames of a transition; ranges less than two of these apart become one.

    Returns:
        Ranges of scene frames by data path.
    """
    record, ranges, frames = load(action), {}, shift(action)
    earlier = _shifted(record.ranges, frames)
    for fcurve in compat.fcurves_of(action):
        path = fcurve.data_path
        if (keys := record.keys.get(path)) is None:
            continue
        keys = replace(keys, frames=keys.frames + frames) if frames else keys
        current = _current_keys(fcurve, record.automatic)
        spans = user_edits.find_edits(current, keys.frames, keys.values, *keys.handles(), record.automatic)
        if spans := user_edits.merge_ranges(spans + earlier.get(path, []), 2 * transition):
            ranges[path] = spans
    return ranges


def edits(action: bpy.types.Action) -> Edits:
    """Return what the artist has changed by hand; quick if nothing has changed since the last call."""
    return action_cache.remembered(action, _find_edits)


def is_edited(action: bpy.types.Action) -> bool:
    """Return whether the artist has keyed on generated curves, or deleted some; as quick as `edits`."""
    found = edits(action)
    return bool(found.ranges or found.deleted)


def shift(action: bpy.types.Action) -> int:
    """Return the frames by which the artist has moved the line since it was written.

    That is so if the first and last key of most curves have moved by the same number of frames. It does not count as an
    edit of single keys.
    """
    keys_of, shifts = load(action).keys, []
    for fcurve in compat.fcurves_of(action):
        keys, points = keys_of.get(fcurve.data_path), fcurve.keyframe_points
        if keys is not None and len(keys.frames) and len(points):
            ends = points[0].co[0] - keys.frames[0], points[-1].co[0] - keys.frames[-1]
            whole = round(ends[0])
            shifts.append(whole if np.abs(np.subtract(ends, whole)).max() < user_edits.SAME_FRAME else 0)
    frames = max(set(shifts), key=shifts.count, default=0)
    return frames if shifts.count(frames) > len(shifts) / 2 else 0


def key_name(path: str) -> str:
    """Return the shape key's name in a data path."""
    return bpy.utils.unescape_identifier(path.split('"', 1)[1].rsplit('"', 1)[0])


def paths(action: bpy.types.Action) -> set[str]:
    """Return the data paths of the generated curves, also of those that the artist has deleted."""
    return set(load(action).keys)


def _find_edits(action: bpy.types.Action) -> Edits:
    """Return what the artist has changed by hand, by reading every key."""
    present = {fcurve.data_path for fcurve in compat.fcurves_of(action)}
    return Edits(edited_ranges(action), frozenset(paths(action) - present))


def _checksum(values: NDArray[np.float32], first_frame: int, keying: Keying) -> int:
    """Return a checksum of all that decides which keys a curve of values (F,) gets."""
    bound = (keying.bound.value, keying.bound.millimetres) if keying.bound else (0.0, 0.0)
    head = np.array([first_frame, *bound], np.float64).tobytes()
    return zlib.crc32(head, zlib.crc32(np.ascontiguousarray(values).tobytes()))


def _shifted(ranges: dict[str, list[Range]], frames: int) -> dict[str, list[Range]]:
    """Return the ranges, so many frames later."""
    return {path: [(first + frames, last + frames) for first, last in spans] for path, spans in ranges.items()}


def _reduce(
    columns: dict[str, NDArray[np.float32]],
    names: list[str],
    first_frame: int,
    keying: Keying,
    borders: dict[str, list[tuple[int, int]]],
) -> key_reduction.ReducedKeys:
    """Return keys for columns (F,) by data path; the frames in their borders get a key in any case."""
    if not columns:
        return key_reduction.ReducedKeys([], 0.0, 0.0)
    motion = np.stack(list(columns.values()), 1)
    if keying.bound is None or keying.lips is None:
        return key_reduction.key_every_frame(motion, first_frame)
    column_of = {value_path(name): k for k, name in enumerate(names)}
    lips = np.zeros((len(columns), keying.lips.shape[1], 3), np.float32)
    for row, path in enumerate(columns):
        if path in column_of:
            lips[row] = keying.lips[column_of[path]]
    frames = first_frame + np.arange(len(motion))
    pinned = np.stack([np.isin(frames, borders[path]) for path in columns])
    return key_reduction.reduce_keys(motion, lips, keying.bound, first_frame, pinned)


# F-curves

AXES = ("co", "handle_left", "handle_right")
ENUMS = ("handle_left_type", "handle_right_type", "interpolation")
OTHERS = ("easing", "amplitude", "period", "back", "type", "select_control_point")


def _enum(name: str, identifier: str) -> int:
    """Return the number of an item of a key's enumeration, as foreach_get and foreach_set want it."""
    items: bpy.types.EnumProperty = bpy.types.Keyframe.bl_rna.properties[name]  # type: ignore[assignment]  # stubs: Property
    return items.enum_items[identifier].value


def _current_keys(fcurve: bpy.types.FCurve, automatic: bool) -> user_edits.CurrentKeys:
    """Return the keys that a curve has now; handles stay 0 if they are `automatic`, as nothing compares them."""
    points = fcurve.keyframe_points
    count = len(points)
    co, left, right = (np.zeros(2 * count, np.float32) for _ in AXES)
    for name, numbers in zip(AXES[:1] if automatic else AXES, (co, left, right), strict=False):
        points.foreach_get(name, numbers)
    left_type, right_type, interpolation = (np.empty(count, np.int32) for _ in ENUMS)
    for name, kinds in zip(ENUMS, (left_type, right_type, interpolation), strict=True):
        points.foreach_get(name, kinds)
    automatic_types = [_enum("handle_left_type", kind) for kind in ("AUTO", "AUTO_CLAMPED")]
    return user_edits.CurrentKeys(
        frames=co[::2],
        values=co[1::2],
        left=left.reshape(-1, 2),
        right=right.reshape(-1, 2),
        automatic=np.isin(left_type, automatic_types) & np.isin(right_type, automatic_types),
        bezier=interpolation == _enum("interpolation", "BEZIER"),
    )


def _keys_inside(fcurve: bpy.types.FCurve, spans: list[Range], moved: int) -> list[dict[str, Any]]:
    """Return all properties of the keys that lie inside the spans once they are moved."""
    keys = []
    for key in fcurve.keyframe_points:
        if user_edits.is_inside(np.array([key.co[0] + moved]), spans)[0]:
            axes = {name: (getattr(key, name)[0] + moved, getattr(key, name)[1]) for name in AXES}
            kind = "KEYFRAME" if key.type == "GENERATED" else key.type  # a generated key that the artist has edited
            keys.append({name: getattr(key, name) for name in (*ENUMS, *OTHERS)} | {"type": kind} | axes)
    return keys


def _set_keys(
    fcurve: bpy.types.FCurve, keys: key_reduction.Keys, artist_keys: list[dict[str, Any]], automatic: bool
) -> None:
    """Replace the keys of the curve by the generated ones and the artist's, which stay exactly as they were."""
    points, count, total = fcurve.keyframe_points, len(keys.frames), len(keys.frames) + len(artist_keys)
    rows = np.zeros((total, 3))  # frame, value and slope
    rows[:count] = np.stack([keys.frames, keys.values, keys.slopes], 1)
    rows[count:, :2] = np.reshape([key["co"] for key in artist_keys], (-1, 2))
    order = np.argsort(rows[:, 0], kind="stable")
    together = key_reduction.Keys(*rows[order].T)
    points.clear()
    points.add(total)  # Bézier keys with clamped automatic handles
    points.foreach_set("type", np.full(total, _enum("type", "GENERATED"), np.int32))  # the editors show them so
    points.foreach_set("co", rows[order, :2].astype(np.float32).ravel())
    if not automatic:
        for side, handles in zip(AXES[1:], together.handles(), strict=True):
            points.foreach_set(side, handles.astype(np.float32).ravel())
            points.foreach_set(f"{side}_type", np.full(total, _enum("handle_left_type", "ALIGNED"), np.int32))
    for at in np.flatnonzero(order >= count).tolist():
        for name in (*ENUMS, *OTHERS, *AXES):  # the types first: they decide where the handles may be
            setattr(points[at], name, artist_keys[order[at] - count][name])
    fcurve.update()


# The record


def load(action: bpy.types.Action) -> Record:
    """Return what was written on this Action; an empty record if nothing was, or if it cannot be read."""
    kept: Any = action.get(PROPERTY)  # what a file holds there may be anything: hence the errors below
    try:
        names, counts = kept["paths"].split("\n"), np.frombuffer(kept["counts"], np.int32)
        numbers = np.frombuffer(kept["keys"], np.float32).reshape(-1, 3).astype(np.float64)
        parts = np.split(numbers, np.cumsum(counts)[:-1])
        ranges: dict[str, list[Range]] = {}
        for path, first, last in np.frombuffer(kept["ranges"], np.float64).reshape(-1, 3).tolist():
            ranges.setdefault(names[int(path)], []).append((first, last))
        checksums = dict(zip(names, np.frombuffer(kept["asked"], np.uint32).tolist(), strict=True))
        return Record(
            {path: key_reduction.Keys(*part.T) for path, part in zip(names, parts, strict=True)},
            ranges,
            checksums,
            bool(kept["automatic"]),
            int(kept["frames"]),
            float(kept["value"]),
            float(kept["millimetres"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return Record()


def _store(action: bpy.types.Action, record: Record) -> None:
    """Put the record on the Action, as bytes: a list of numbers would be one property for each number."""
    names = list(record.keys)
    numbers = [np.stack([keys.frames, keys.values, keys.slopes], 1) for keys in record.keys.values()]
    ranges = [(names.index(path), *span) for path, spans in record.ranges.items() for span in spans]
    action[PROPERTY] = {
        "paths": "\n".join(names),
        "counts": np.array([len(part) for part in numbers], np.int32).tobytes(),
        "keys": np.concatenate([np.zeros((0, 3)), *numbers]).astype(np.float32).tobytes(),
        "ranges": np.array(ranges, np.float64).tobytes(),
        "asked": np.array([record.checksums[path] for path in names], np.uint32).tobytes(),
        "automatic": record.automatic,
        "frames": record.frames,
        "value": record.value,
        "millimetres": record.millimetres,
    }
