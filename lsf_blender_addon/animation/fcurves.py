"""Generated F-curves: writes a window of them, around the keys that the artist has set or edited by hand.

A window holds one line, or parts of several that overlap. Keys outside it are never changed. Only the keys of curves
change: modifiers and colours stay. Curves that the artist has locked are not changed at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from . import action_cache, curve_edits, curve_record, key_reduction, keyframes, user_edits
from .composition import Composition
from .curve_record import NO_KEYS, Record
from .generated_curves import GeneratedCurves
from .key_reduction import Keys
from .keyframes import KeyTable
from .line_curves import Window
from .user_edits import Range

TRANSITION = 0.16  # seconds in which generated motion goes over into the artist's keys
LARGEST_ERROR = 0.1  # of a curve, at the lowest density of keys
SAME_KEY = 1e-5  # largest difference of a key's frame, value and slope that comes from rounding

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Written:
    """What `write` has done.

    Attributes:
        gone: Names of the generated curves that it has removed: they did not move anything any more.
        value: Largest error of a shape key's value.
        millimetres: Largest error on the lips.
    """

    gone: frozenset[str] = frozenset()
    value: float = 0.0
    millimetres: float = 0.0


def value_path(name: str) -> str:
    """Return the data path of a shape key's value, from the Key data-block."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def key_name(path: str) -> str:
    """Return the name of the shape key or bone in that of a curve."""
    return bpy.utils.unescape_identifier(path.split('"', 1)[1].rsplit('"', 1)[0])


def write(
    action: bpy.types.Action,
    composed: Composition,
    others: Sequence[Window] = (),
    keep: bool = True,
    restore_deleted: bool = True,
) -> Written:
    """Write the generated curves in a window. What is not in the composition rests there.

    Args:
        action: The head's generated Action.
        composed: The motion in the window.
        others: Windows of other lines. A curve that is new gets its rest at their ends, so that a key that the artist
            sets in one of these lines does not reach out of it.
        keep: Whether the keys stay that the artist has set or edited in the window.
        restore_deleted: Whether generated curves come back that the artist has deleted.
    """
    window = composed.first_frame, composed.first_frame + len(composed.motion) - 1
    record, curves = curve_record.load(action), GeneratedCurves(action)
    existing = curves.present
    column_of = {
        name if curves.bones else value_path(name): k
        for k, name in enumerate(composed.names)
        if k not in composed.beside
    }
    transition = TRANSITION * composed.fps
    edits = curve_edits.edited_ranges(action, window, transition, record) if keep else {}
    paths = [
        path
        for path in dict.fromkeys((*column_of, *record.keys))
        if _is_writable(existing.get(path), record.keys.get(path, NO_KEYS), window, path in column_of, restore_deleted)
    ]
    if not composed.names:  # no line is here: what rests needs keys only beside those of the artist
        paths = [path for path in paths if path in edits or _in_window(record.keys[path], window).any()]
    borders = {path: user_edits.borders(edits.get(path, []), transition) for path in paths}
    reduced = _reduce(composed, {path: column_of.get(path) for path in paths}, borders, record.keys)
    keys, ranges = dict(record.keys), {path: list(spans) for path, spans in record.ranges.items()}
    gone = set()
    for path, made in reduced.keys.items():
        known = record.keys.get(path)
        new = _beside_edits(made, edits.get(path, []), borders[path], window)
        if not composed.names and path not in edits:
            new = _rest_beside_artists(curves.read(path), known or NO_KEYS, window)
        if known is None and path not in existing:
            new = _with_rest(new, others, window)
        is_unedited = keep and path not in edits and curve_edits.has_keys(existing.get(path), window)
        if is_unedited and _is_same(new, curve_record.between(known or NO_KEYS, window)):
            continue  # usual with a slider: it moves few curves
        keys[path] = (known or NO_KEYS).only(~_in_window(known or NO_KEYS, window)).joined(new)
        ranges[path] = [span for span in ranges.get(path, []) if not curve_record.overlaps(span, window)] + edits.get(
            path, []
        )
        table = _replaced(curves.read(path), edits.get(path, []), new, window, keys[path])
        if len(table) == len(keys[path].frames) and not ranges[path] and curve_record.rests(keys[path]):
            del keys[path], ranges[path]
            if path in existing:
                curves.remove(path)
                gone.add(path)
        else:
            curves.write(path, table)
    curve_record.store(action, Record(keys, {path: spans for path, spans in ranges.items() if spans}))
    action_cache.forget(action)
    return Written(frozenset(gone), reduced.value, reduced.millimetres)


def move(action: bpy.types.Action, window: Window, frames: int, others: Sequence[Window] = ()) -> None:
    """Move all keys of generated curves in a window, the artist's too, so many frames later.

    At a frame where a key is already, a generated one gives way.

    Args:
        action: The Action with the curves.
        window: First and last frame of a line.
        frames: How much later they shall be.
        others: Windows of other lines. Keys that are nearer to the middle of one of these, and in it, stay.
    """
    record, curves = curve_record.load(action), GeneratedCurves(action)
    for name, curve in curves.present.items():
        known = record.keys.get(name)
        if known is not None and not curve.lock:
            table = curves.read(name)
            inside, generated = _belong_to(table, window, others), _find_generated(table, known) >= 0
            stays, moved = table.only(~inside), table.only(inside).later(frames)
            moved = moved.only(~(generated[inside] & _meets(moved, stays.only(~generated[~inside]))))
            curves.write(name, stays.only(~_meets(stays, moved)).joined(moved)[0])
    note_moves(action, [(window, frames)], others)


def note_moves(action: bpy.types.Action, moves: Sequence[tuple[Window, int]], others: Sequence[Window] = ()) -> None:
    """Record that the keys in some windows are so many frames later now, on the curves that are not locked.

    Their handles, and those of their neighbours, get the lengths that generated keys have there.

    Args:
        action: The Action with the curves.
        moves: First and last frame of lines, and how much later their keys are.
        others: Windows of other lines. Keys that are nearer to the middle of one of these, and in it, have not moved.
    """
    record, curves = curve_record.load(action), GeneratedCurves(action)
    keys, ranges = dict(record.keys), dict(record.ranges)
    for path, known in record.keys.items():
        curve = curves.present.get(path)
        if curve is not None and curve.lock:
            continue
        shifts = np.zeros(len(known.frames))
        for window, frames in moves:
            shifts[_belong_to(known, window, others)] = frames
        stays, moved = known.only(shifts == 0), known.only(shifts != 0)
        moved = replace(moved, frames=moved.frames + shifts[shifts != 0])
        keys[path] = stays.only(~_meets(stays, moved)).joined(moved)
        ranges[path] = [_moved_range(span, moves, others) for span in record.ranges.get(path, [])]
        if curve is not None and len(moved.frames):
            table, span = curves.read(path), (float(moved.frames[0]), float(moved.frames[-1]))
            curves.write(path, _with_generated_handles(table, keys[path], span))
    curve_record.store(action, Record(keys, {path: spans for path, spans in ranges.items() if spans}))
    action_cache.forget(action)


def count_keys(action: bpy.types.Action, window: Window) -> tuple[int, int]:
    """Return how many generated keys there are in a window, and how many curves these are on that do not rest."""
    inside = [curve_record.between(keys, window) for keys in curve_record.load(action).keys.values()]
    moving = [keys for keys in inside if not curve_record.rests(keys)]
    return sum(len(keys.frames) for keys in moving), len(moving)


def paths(action: bpy.types.Action) -> set[str]:
    """Return the data paths of the generated curves, also of those that the artist has deleted."""
    return curve_record.paths(action)


def _is_writable(
    curve: bpy.types.FCurve | None, known: Keys, window: Window, moves: bool, restore_deleted: bool
) -> bool:
    """Return whether a curve may be written in a window.

    Args:
        curve: The curve, if it is there.
        known: The keys that were written on it.
        window: First and last frame.
        moves: Whether it moves in the window.
        restore_deleted: Whether it comes back in the window if the artist has deleted all its keys there.
    """
    if curve is not None and curve.lock:
        return False
    is_deleted = len(curve_record.between(known, window).frames) > 0 and not curve_edits.has_keys(curve, window)
    return (moves or curve is not None) and (restore_deleted or not is_deleted)


def _beside_edits(keys: Keys, spans: list[Range], borders: list[tuple[int, int]], window: Window) -> Keys:
    """Return the keys without those that are too near to the artist's.

    The ends of the window keep theirs if the artist has not set them: else the artist's keys would reach out of it.
    """
    is_end = np.isin(keys.frames, window) & ~user_edits.is_inside(keys.frames, spans)
    return keys.only(is_end | ~user_edits.is_between_borders(keys.frames, borders))


def _rest_beside_artists(table: KeyTable, known: Keys, window: Window) -> Keys:
    """Return keys at rest at those ends of a window beside which the artist has set the next key.

    They hold the artist's key where it is: without them, its value would go on to the next generated key, or for ever.
    """
    artists = _find_generated(table, known) < 0
    before = np.flatnonzero(table.frames < window[0] - user_edits.SAME_FRAME)
    after = np.flatnonzero(table.frames > window[1] + user_edits.SAME_FRAME)
    ends = [window[0]] if len(before) and artists[before[-1]] else []
    ends += [window[1]] if len(after) and artists[after[0]] else []
    return Keys(np.array(ends, np.float64), np.zeros(len(ends)), np.zeros(len(ends)))


def _with_rest(keys: Keys, others: Iterable[Window], window: Window) -> Keys:
    """Return the keys with keys at rest at the ends of the other windows, as far as these lie outside this one."""
    ends = {float(frame) for other in others for frame in other if not window[0] <= frame <= window[1]}
    if not ends:
        return keys
    rest = np.zeros(len(ends))
    return keys.joined(Keys(np.array(sorted(ends)), rest, rest))


def _meets(keys: Keys | KeyTable, others: Keys | KeyTable) -> NDArray[np.bool_]:
    """Return which of the keys have one of the others at their frame, bool (N,)."""
    return user_edits.is_inside(keys.frames, [(frame, frame) for frame in others.frames.tolist()])


def _belong_to(keys: Keys | KeyTable, window: Range, others: Iterable[Window]) -> NDArray[np.bool_]:
    """Return which keys lie in a window and not in another one whose middle is nearer, bool (N,)."""
    inside, distance = _in_window(keys, window), np.abs(keys.frames - (window[0] + window[1]) / 2)
    for other in others:
        nearer = np.abs(keys.frames - (other[0] + other[1]) / 2) < distance
        inside &= ~(nearer & _in_window(keys, other))
    return inside


def _moved_range(span: Range, moves: Iterable[tuple[Window, int]], others: Sequence[Window]) -> Range:
    """Return a range that has moved if its middle has."""
    middle = np.array([(span[0] + span[1]) / 2])
    at = Keys(middle, middle, middle)
    frames = next((frames for window, frames in moves if _belong_to(at, window, others).any()), 0)
    return span[0] + frames, span[1] + frames


def _replaced(current: KeyTable, spans: list[Range], new: Keys, window: Window, known: Keys) -> KeyTable:
    """Return the keys of a curve after the generated ones in a window were replaced.

    Args:
        current: The keys that the curve has now.
        spans: Ranges that the artist has keyed in the window.
        new: The new generated keys.
        window: First and last frame.
        known: All generated keys of the curve, with the new ones.
    """
    kept = current.only(~_in_window(current, window) | user_edits.is_inside(current.frames, spans))
    kept = _as_artists(kept, user_edits.is_inside(kept.frames, spans))
    table, order = kept.joined(keyframes.generated(new))
    is_new = order >= len(kept)
    # A generated key's handle reaches a third of the way to the next key, whoever has set that one.
    at = _find_generated(table, known)
    slopes = known.slopes[at] if len(known.frames) else np.zeros(len(table))
    turned_left = is_new | ((at >= 0) & np.r_[False, is_new[:-1]])
    turned_right = is_new | ((at >= 0) & np.r_[is_new[1:], False])
    # Between an end of the window that was there before and the next key outside, the curve stays as it is.
    for name, end, own, others, step in (
        ("handle_left", window[0], turned_left, turned_right, -1),
        ("handle_right", window[1], turned_right, turned_left, 1),
    ):
        for i in np.flatnonzero(is_new & (table.frames == end)).tolist():
            old = np.flatnonzero(_is_end(current, table.columns["co"][i], slopes[i], name))
            if len(old):
                table.columns[name][i], own[i] = current.columns[name][old[0]], False
                if 0 <= i + step < len(table):
                    others[i + step] = False
    left, right = _third_handles(table, slopes)
    for name, values, turned in (("handle_left", left, turned_left), ("handle_right", right, turned_right)):
        chosen = turned & ~np.isnan(slopes)
        table.columns[name][chosen] = values[chosen]
    return table


def _is_end(keys: KeyTable, co: Floats, slope: float, handle: str) -> NDArray[np.bool_]:
    """Return which keys are at a place (2,), with a handle that has this slope, bool (N,)."""
    reach = keys.columns[handle] - keys.columns["co"]
    away = np.abs(keys.columns["co"] - co)
    same: NDArray[np.bool_] = (away[:, 0] < user_edits.SAME_FRAME) & (away[:, 1] < user_edits.SAME_VALUE)
    return same & (np.abs(reach[:, 1] - slope * reach[:, 0]) < user_edits.SAME_HANDLE)


def _with_generated_handles(table: KeyTable, known: Keys, window: Range) -> KeyTable:
    """Return the keys of a curve with the handles of generated ones as long as they are made between these keys.

    Handles that the artist has turned stay.

    Args:
        table: The keys.
        known: The generated keys.
        window: First and last frame of the keys that are meant; their neighbours count, too.
    """
    at = _find_generated(table, known)
    inside = _in_window(table, window)
    chosen = (at >= 0) & (inside | np.r_[inside[1:], False] | np.r_[False, inside[:-1]])
    slopes, co = known.slopes[at], table.columns["co"]
    for name in keyframes.AXES[1:]:
        reach = table.columns[name] - co
        chosen &= np.abs(reach[:, 1] - slopes * reach[:, 0]) < user_edits.SAME_HANDLE  # not where a slope is NaN
    for name, values in zip(keyframes.AXES[1:], _third_handles(table, slopes), strict=True):
        table.columns[name][chosen] = values[chosen]
    return table


def _third_handles(table: KeyTable, slopes: Floats) -> tuple[Floats, Floats]:
    """Return left and right handles (N, 2) that reach a third of the way to the next key, with slopes (N,)."""
    co = table.columns["co"].astype(np.float64)
    return Keys(co[:, 0], co[:, 1], slopes).handles()


def _find_generated(table: KeyTable, known: Keys) -> NDArray[np.intp]:
    """Return for each of the keys of a curve which of the known ones it is (N,), by frame and value; -1 if none."""
    if not len(known.frames):
        return np.full(len(table), -1)
    at = np.searchsorted(known.frames, table.frames - user_edits.SAME_FRAME)
    at = np.minimum(at, len(known.frames) - 1)
    same = np.abs(known.frames[at] - table.frames) < user_edits.SAME_FRAME
    same &= np.abs(known.values[at] - table.columns["co"][:, 1]) < user_edits.SAME_VALUE
    return np.where(same, at, -1)


def _as_artists(keys: KeyTable, edited: NDArray[np.bool_]) -> KeyTable:
    """Return the keys, with those that the artist has edited no longer shown as generated ones."""
    kinds = keys.columns["type"].copy()
    kinds[edited & (kinds == keyframes.enum_number("type", "GENERATED"))] = keyframes.enum_number("type", "KEYFRAME")
    return KeyTable({**keys.columns, "type": kinds})


@dataclass(frozen=True)
class _Reduced:
    """Keys by data path, and the largest errors."""

    keys: dict[str, Keys]
    value: float = 0.0
    millimetres: float = 0.0


def _reduce(
    composed: Composition,
    columns: dict[str, int | None],
    borders: dict[str, list[tuple[int, int]]],
    known: dict[str, Keys],
) -> _Reduced:
    """Return keys for the columns of a composition, by data path; None for a curve that rests.

    The ends of the window and of lines in it, and the frames in `borders`, get a key in any case. Where a line goes on
    outside the window, curves keep the value and the slope that they have there, so that they do not change outside.

    Args:
        composed: The composition.
        columns: Column of each curve.
        borders: Frames beside the artist's keys on each curve.
        known: The generated keys that the curves have now.
    """
    frames = composed.first_frame + np.arange(len(composed.motion))
    moving = {path: k for path, k in columns.items() if k is not None}
    chosen = [*moving.values(), *composed.beside]  # those beside others matter to the lips, but get no keys here
    motion, lips = composed.motion[:, chosen], composed.lips[chosen]
    needed = {path: np.isin(frames, [*composed.borders, *np.ravel(borders[path])]) for path in columns}
    if not moving:
        reduced = key_reduction.ReducedKeys([], 0.0, 0.0)
    elif composed.bound is None:
        reduced = key_reduction.key_every_frame(motion, composed.first_frame)
    else:
        pinned, slopes = np.zeros((len(chosen), len(frames)), bool), np.full((len(chosen), 2), np.nan)
        pinned[: len(moving)] = [needed[path] for path in moving]
        for side in (side for side in (0, -1) if composed.goes_on[side]):
            for k, path in enumerate(moving):
                now = known.get(path, NO_KEYS)
                value = now.evaluate(frames[[side]].astype(np.float64))[0] if len(now.frames) else np.nan
                if abs(value - motion[side, k]) < LARGEST_ERROR:  # not if it is NaN
                    motion[side, k], slopes[k, side] = value, now.slope(float(frames[side]))
        reduced = key_reduction.reduce_keys(motion, lips, composed.bound, composed.first_frame, pinned, slopes)
    keys = dict(zip(moving, reduced.keys, strict=False))  # without those beside
    for path in columns.keys() - moving.keys():
        needed[path][[0, -1]] = True
        rest = np.zeros(int(needed[path].sum()))
        keys[path] = Keys(frames[needed[path]].astype(np.float64), rest, rest)
    return _Reduced(keys, reduced.value_error, reduced.lip_error)


def _in_window(keys: Keys | KeyTable, window: Range) -> NDArray[np.bool_]:
    """Return which keys lie in a window, bool (N,)."""
    inside: NDArray[np.bool_] = (keys.frames > window[0] - user_edits.SAME_FRAME) & (
        keys.frames < window[1] + user_edits.SAME_FRAME
    )
    return inside


def _is_same(keys: Keys, others: Keys) -> bool:
    """Return whether the keys are the same but for rounding."""
    return len(keys.frames) == len(others.frames) and all(
        np.allclose(one, two, rtol=0, atol=SAME_KEY, equal_nan=True)
        for one, two in (
            (keys.frames, others.frames),
            (keys.values, others.values),
            (keys.slopes, others.slopes),
        )
    )
