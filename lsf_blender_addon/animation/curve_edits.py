"""Finds what the artist has changed by hand on generated F-curves: keys, whole curves, and lines moved in time.

What was written is on record (curve_record.py); this module compares the curves with it. user_edits.py decides, without
Blender, what counts as an edit.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from . import curve_record, keyframes, user_edits
from .curve_record import NO_KEYS, REST, Record
from .generated_curves import GeneratedCurves
from .key_reduction import Keys
from .line_curves import Window
from .user_edits import Range

Floats = NDArray[np.floating]


def moved_by(action: bpy.types.Action, window: Window, record: Record | None = None) -> int:
    """Return the frames by which the artist has moved the generated keys in a window since they were written.

    That is so if the first, the largest and the last key of most curves have moved by the same number of frames. Such a
    move does not count as an edit of single keys.

    Args:
        action: The Action with the curves.
        window: First and last frame in which the keys were written.
        record: What was written on the Action; read if it is not given.
    """
    record, shifts, curves = record or curve_record.load(action), [], GeneratedCurves(action)
    for name, curve in curves.present.items():
        known = record.keys.get(name, NO_KEYS)
        known = curve_record.between(known, window)
        if len(known.frames) and not curve.lock and np.abs(known.values).max() > REST:
            shifts.append(_shift(known, curves.read_points(name)))
            if not shifts[-1] and len(shifts) == 1:
                return 0  # the usual case, decided quickly: a line that was moved has moved its first curve
    frames = max(set(shifts), key=shifts.count, default=0)
    return frames if shifts.count(frames) > len(shifts) / 2 else 0


def edited_ranges(
    action: bpy.types.Action, window: Window, transition: float = 0.0, record: Record | None = None
) -> dict[str, list[Range]]:
    """Find what the artist has keyed by hand on generated curves in a window.

    Args:
        action: The Action with the curves.
        window: First and last frame.
        transition: Frames of a transition; ranges less than two of these apart become one.
        record: What was written on the Action; read if it is not given.

    Returns:
        Ranges of scene frames by the curve's name.
    """
    record = record or curve_record.load(action)
    found: dict[str, list[Range]] = {}
    curves = GeneratedCurves(action)
    for path in curves.present:
        if not path.startswith(("key_blocks[", "pose.bones[")):
            continue
        current = _current_keys(curves, path, window)
        if not len(current.frames):
            continue
        known = curve_record.between(record.keys.get(path, NO_KEYS), window)
        spans = user_edits.find_edits(current, known.frames, known.values, *known.handles(), window)
        earlier = [span for span in record.ranges.get(path, []) if curve_record.overlaps(span, window)]
        if spans := user_edits.merge_ranges(spans + earlier, 2 * transition):
            found[path] = spans
    return found


def deleted_paths(action: bpy.types.Action, window: Window) -> frozenset[str]:
    """Return the names of curves whose keys in a window the artist has all deleted, though some were generated."""
    present = GeneratedCurves(action).present
    return frozenset(
        path
        for path, known in curve_record.load(action).keys.items()
        if len(curve_record.between(known, window).frames) and not has_keys(present.get(path), window)
    )


def has_keys(curve: bpy.types.FCurve | None, window: Window) -> bool:
    """Return whether a curve is there, with keys in a window."""
    if curve is None:
        return False
    first, end = keyframes.find(curve, window[0] - user_edits.SAME_FRAME, window[1] + user_edits.SAME_FRAME)
    return first < end


def _shift(known: Keys, points: Floats) -> int:
    """Return by how many frames the first, the largest and the last known key have moved; 0 if not alike.

    `points` are the frames and values (N, 2) of the curve's keys now.
    """
    frames, values = points.T
    chosen = sorted({0, int(np.abs(known.values).argmax()), len(known.frames) - 1})

    def is_there(moved: float) -> bool:
        """Return whether the curve has the chosen keys, so many frames later."""
        return all(
            bool(
                (
                    (np.abs(frames - known.frames[i] - moved) < user_edits.SAME_FRAME)
                    & (np.abs(values - known.values[i]) < user_edits.SAME_VALUE)
                ).any()
            )
            for i in chosen
        )

    if is_there(0):
        return 0
    peak = chosen[len(chosen) // 2] if len(chosen) == 3 else int(np.abs(known.values).argmax())
    alike = np.abs(values - known.values[peak]) < user_edits.SAME_VALUE
    shifts = np.rint(frames[alike] - known.frames[peak])
    return next((int(shift) for shift in shifts[np.argsort(np.abs(shifts))] if shift and is_there(shift)), 0)


def _current_keys(curves: GeneratedCurves, name: str, window: Range) -> user_edits.CurrentKeys:
    """Return the keys that a curve has now in a window."""
    table = curves.read_shape(name, window[0] - user_edits.SAME_FRAME, window[1] + user_edits.SAME_FRAME)
    columns = {name: column.astype(np.float64) for name, column in table.items() if name in keyframes.AXES}
    auto, clamped = (keyframes.enum_number("handle_left_type", kind) for kind in ("AUTO", "AUTO_CLAMPED"))
    left, right = ((table[name] == auto) | (table[name] == clamped) for name in keyframes.ENUMS[:2])
    return user_edits.CurrentKeys(
        frames=columns["co"][:, 0],
        values=columns["co"][:, 1],
        left=columns["handle_left"],
        right=columns["handle_right"],
        automatic=left & right,
        bezier=table["interpolation"] == keyframes.enum_number("interpolation", "BEZIER"),
    )
