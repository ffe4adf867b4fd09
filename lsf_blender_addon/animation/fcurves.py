"""Generated F-curves: written, and written again around what the artist has keyed on them by hand.

What was written is kept on the Action, key by key, so that it is known later which keys the artist has touched.
Only F-curves that are named there are ever changed, and only their keys: an artist's modifiers and colours stay. Curves
that the artist has locked are not changed at all.
"""

import zlib
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from .. import compat
from . import key_reduction, user_edits
from .user_edits import Range

PROPERTY = "lsf_curves"  # custom property on the Action
SOFT = 0.16  # seconds in which generated motion goes over into the artist's keys


@dataclass(frozen=True)
class Keying:
    """How motion becomes keys."""

    bound: key_reduction.Bound | None = None  # none: a key on every frame
    lips: np.ndarray | None = None  # (K, L, 3) millimetres, see lips.measure; needed with a bound
    fps: float = 24.0


@dataclass(frozen=True)
class Record:
    """What was written."""

    keys: dict[str, key_reduction.Keys] = field(default_factory=dict)  # by data path; without the artist's
    ranges: dict[str, list[Range]] = field(default_factory=dict)  # of the artist, by data path
    asked: dict[str, int] = field(default_factory=dict)  # checksum of the motion that a curve was to show, by data path
    automatic: bool = False  # whether Blender places the handles
    frames: int = 0
    value: float = 0.0  # largest error
    millimetres: float = 0.0  # on the lips

    def summary(self) -> str:
        """For the artist: how many keys, and how far from the motion they are."""
        count = sum(len(keys.frames) for keys in self.keys.values())
        if self.automatic or not count:
            return f"{count} keys, one on every frame"
        error = f"{self.millimetres:.1f} mm on the lips" if self.millimetres >= 0.05 else f"{self.value:.3f}"
        return f"{count} keys, {self.frames * len(self.keys) / count:.1f}x fewer than frames; largest error {error}"


def value_path(name: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def write(
    action: bpy.types.Action,
    names: list[str],
    motion: np.ndarray,
    first_frame: int,
    keying: Keying,
    moved: int = 0,
    keep: bool = True,
    revive: bool = True,
) -> list[str]:
    """Write one curve per key name with the values of its column of motion (F, K); data paths of the curves.

    Generated curves of other names go, unless the artist has keyed on them: these come to rest at 0. What the artist
    has keyed on a generated curve stays, `moved` frames later than it is now, or goes if not `keep`. Generated curves
    that the artist has deleted come back if `revive`. Curves that the artist has made or locked are left alone, and
    those too that are keyed by hand and get the same motion as before.
    """
    fcurves = compat.key_fcurves(action)
    existing = {fcurve.data_path: fcurve for fcurve in fcurves}
    record, soft = load(action), SOFT * keying.fps
    ranges = _moved(kept_ranges(action, soft), moved) if keep else {}
    # Which generated curves are to be written, and with what; the record of the others stays as it is.
    theirs = {path for path, fcurve in existing.items() if fcurve.lock or path not in record.keys}
    as_it_is = record.keys.keys() & theirs | (set() if revive else record.keys.keys() - existing.keys())
    still = np.zeros(len(motion), np.float32)
    columns = {path: still for path in ranges if path not in theirs}
    columns |= {path: motion[:, k] for k, path in enumerate(map(value_path, names)) if path not in as_it_is | theirs}
    for path in existing.keys() - columns.keys() - theirs:
        fcurves.remove(existing.pop(path))
    asked = {path: _checksum(values, first_frame, keying) for path, values in columns.items()}
    if not moved and not shift(action):
        as_it_is |= {path for path in ranges.keys() & columns.keys() if asked[path] == record.asked.get(path)}
        columns = {path: values for path, values in columns.items() if path not in as_it_is}
    # The keys by hand are taken out, the generated ones end at the borders around them, and both are put back together.
    handmade, pinned = {}, np.zeros((len(columns), len(motion)), bool)
    for k, path in enumerate(columns):
        if spans := ranges.get(path):
            handmade[path] = _handmade(existing[path], spans, moved)
            pinned[k] = np.isin(first_frame + np.arange(len(motion)), user_edits.borders(spans, soft))
    fit = _fit(columns, names, first_frame, keying, pinned)
    written = {path: record.keys[path] for path in as_it_is}
    for path, keys in zip(columns, fit.keys, strict=True):
        written[path] = keys.outside(user_edits.is_between(keys.frames, user_edits.borders(ranges.get(path, []), soft)))
        _fill(existing.get(path) or fcurves.new(path), written[path], handmade.get(path, []), keying.bound is None)
    asked = {path: asked.get(path, record.asked.get(path, 0)) for path in written}
    _store(action, Record(written, ranges, asked, keying.bound is None, len(motion), fit.value, fit.millimetres))
    return [path for path in written if path in columns or path in existing]


def kept_ranges(action: bpy.types.Action, soft: float = 0.0) -> dict[str, list[Range]]:
    """Frames that the artist has keyed by hand on generated curves, by data path. Less than 2 · soft apart, they are
    one range.
    """
    record, result, frames = load(action), {}, shift(action)
    ranges = _moved(record.ranges, frames)
    for fcurve in compat.fcurves_of(action):
        path = fcurve.data_path
        if (made := record.keys.get(path)) is None:
            continue
        made = replace(made, frames=made.frames + frames) if frames else made
        spans = user_edits.edited(_found(fcurve), made.frames, made.values, *made.handles(), record.automatic)
        if spans := user_edits.merged(spans + ranges.get(path, []), 2 * soft):
            result[path] = spans
    return result


def shift(action: bpy.types.Action) -> int:
    """Frames by which the artist has moved the curves since they were written: most of them, first and last key alike.

    That is no work on single keys: it moves the line.
    """
    made, shifts = load(action).keys, []
    for fcurve in compat.fcurves_of(action):
        keys, points = made.get(fcurve.data_path), fcurve.keyframe_points
        if keys is not None and len(keys.frames) and len(points):
            ends = points[0].co[0] - keys.frames[0], points[-1].co[0] - keys.frames[-1]
            whole = round(ends[0])
            shifts.append(whole if np.abs(np.subtract(ends, whole)).max() < user_edits.SAME_FRAME else 0)
    frames = max(set(shifts), key=shifts.count, default=0)
    return frames if shifts.count(frames) > len(shifts) / 2 else 0


def is_edited(action: bpy.types.Action) -> bool:
    """Whether the artist has keyed on generated curves, or deleted some."""
    present = {fcurve.data_path for fcurve in compat.fcurves_of(action)}
    return bool(kept_ranges(action)) or not paths(action) <= present


def key_name(path: str) -> str:
    """The shape key's name in a data path."""
    return bpy.utils.unescape_identifier(path.split('"', 1)[1].rsplit('"', 1)[0])


def paths(action: bpy.types.Action) -> set[str]:
    """Data paths of the generated curves, those too that the artist has deleted."""
    return set(load(action).keys)


def _checksum(values: np.ndarray, first_frame: int, keying: Keying) -> int:
    bound = (keying.bound.value, keying.bound.millimetres) if keying.bound else (0, 0)
    return zlib.crc32(np.float64([first_frame, *bound]), zlib.crc32(np.ascontiguousarray(values)))


def _moved(ranges: dict[str, list[Range]], frames: int) -> dict[str, list[Range]]:
    return {path: [(first + frames, last + frames) for first, last in spans] for path, spans in ranges.items()}


def _fit(
    columns: dict[str, np.ndarray], names: list[str], first_frame: int, keying: Keying, pinned: np.ndarray
) -> key_reduction.Fit:
    if not columns:
        return key_reduction.Fit([], 0.0, 0.0)
    motion = np.stack(list(columns.values()), 1)
    if keying.bound is None:
        return key_reduction.every_frame(motion, first_frame)
    place = {value_path(name): k for k, name in enumerate(names)}
    lips = np.zeros((len(columns), keying.lips.shape[1], 3), np.float32)
    for row, path in enumerate(columns):
        if path in place:
            lips[row] = keying.lips[place[path]]
    return key_reduction.thin(motion, lips, keying.bound, first_frame, pinned)


# F-curves

AXES = ("co", "handle_left", "handle_right")
EXACTLY = (
    "handle_left_type",
    "handle_right_type",
    "interpolation",
    "easing",
    "amplitude",
    "period",
    "back",
    "type",
    "select_control_point",
)


def _enum(name: str, identifier: str) -> int:
    return bpy.types.Keyframe.bl_rna.properties[name].enum_items[identifier].value


def _found(fcurve: bpy.types.FCurve) -> user_edits.Found:
    points = fcurve.keyframe_points
    count = len(points)
    pairs, kinds = [np.empty(2 * count, np.float32) for _ in AXES], [np.empty(count, np.int32) for _ in EXACTLY[:3]]
    for name, numbers in zip((*AXES, *EXACTLY[:3]), (*pairs, *kinds), strict=True):
        points.foreach_get(name, numbers)
    co, left, right = (numbers.reshape(-1, 2) for numbers in pairs)
    automatic = [_enum("handle_left_type", kind) for kind in ("AUTO", "AUTO_CLAMPED")]
    return user_edits.Found(
        co[:, 0],
        co[:, 1],
        left,
        right,
        np.isin(kinds[0], automatic) & np.isin(kinds[1], automatic),
        kinds[2] == _enum("interpolation", "BEZIER"),
    )


def _handmade(fcurve: bpy.types.FCurve, spans: list[Range], moved: int) -> list[dict]:
    """All that makes up the keys inside the spans, which are those of `moved` frames later."""
    keys = []
    for key in fcurve.keyframe_points:
        if user_edits.is_inside(np.array([key.co[0] + moved]), spans)[0]:
            axes = {name: (getattr(key, name)[0] + moved, getattr(key, name)[1]) for name in AXES}
            kind = "KEYFRAME" if key.type == "GENERATED" else key.type  # that the artist has changed
            keys.append({name: getattr(key, name) for name in EXACTLY} | {"type": kind} | axes)
    return keys


def _fill(fcurve: bpy.types.FCurve, keys: key_reduction.Keys, handmade: list[dict], automatic: bool) -> None:
    """Replace the keys of the curve: the generated ones, and the artist's exactly as they were."""
    points, count, total = fcurve.keyframe_points, len(keys.frames), len(keys.frames) + len(handmade)
    rows = np.zeros((total, 3))  # frame, value and slope
    rows[:count] = np.stack([keys.frames, keys.values, keys.slopes], 1)
    rows[count:, :2] = np.reshape([key["co"] for key in handmade], (-1, 2))
    order = np.argsort(rows[:, 0], kind="stable")
    together = key_reduction.Keys(*rows[order].T)
    points.clear()
    points.add(total)  # Bézier keys with clamped automatic handles
    points.foreach_set("type", np.full(total, _enum("type", "GENERATED"), np.int32))  # they look so in the editors
    points.foreach_set("co", rows[order, :2].astype(np.float32).ravel())
    if not automatic:
        for side, handles in zip(AXES[1:], together.handles(), strict=True):
            points.foreach_set(side, handles.astype(np.float32).ravel())
            points.foreach_set(f"{side}_type", np.full(total, _enum("handle_left_type", "ALIGNED"), np.int32))
    for at in np.flatnonzero(order >= count):
        for name in (*EXACTLY, *AXES):  # the handles' types first: they decide what the handles may be
            setattr(points[at], name, handmade[order[at] - count][name])
    fcurve.update()


# The record


def load(action: bpy.types.Action) -> Record:
    """What was written into this Action; an empty record if nothing was, or none can be read."""
    kept = action.get(PROPERTY)
    try:
        names, counts = kept["paths"].split("\n"), np.frombuffer(kept["counts"], np.int32)
        numbers = np.frombuffer(kept["keys"], np.float32).reshape(-1, 3).astype(np.float64)
        parts = np.split(numbers, np.cumsum(counts)[:-1])
        ranges: dict[str, list[Range]] = {}
        for path, first, last in np.frombuffer(kept["ranges"], np.float64).reshape(-1, 3).tolist():
            ranges.setdefault(names[int(path)], []).append((first, last))
        asked = dict(zip(names, np.frombuffer(kept["asked"], np.uint32).tolist(), strict=True))
        return Record(
            {path: key_reduction.Keys(*part.T) for path, part in zip(names, parts, strict=True)},
            ranges,
            asked,
            bool(kept["automatic"]),
            int(kept["frames"]),
            float(kept["value"]),
            float(kept["millimetres"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return Record()


def _store(action: bpy.types.Action, record: Record) -> None:
    names = list(record.keys)
    numbers = [np.stack([keys.frames, keys.values, keys.slopes], 1) for keys in record.keys.values()]
    ranges = [(names.index(path), *span) for path, spans in record.ranges.items() for span in spans]
    action[PROPERTY] = {
        "paths": "\n".join(names),
        "counts": np.array([len(part) for part in numbers], np.int32).tobytes(),
        "keys": np.concatenate([np.zeros((0, 3)), *numbers]).astype(np.float32).tobytes(),
        "ranges": np.array(ranges, np.float64).tobytes(),
        "asked": np.array([record.asked[path] for path in names], np.uint32).tobytes(),
        "automatic": record.automatic,
        "frames": record.frames,
        "value": record.value,
        "millimetres": record.millimetres,
    }
