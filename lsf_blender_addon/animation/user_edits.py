"""Finds what an artist has edited by hand on generated curves, so that it can be kept when the curves are made again.

Frames are those of the scene, and may be fractions. A range (first, last) is kept as the artist left it, both ends
included. Generated keys stay a little away from it, so that one Bézier curve leads smoothly from them to the artist's
keys and back. No bpy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Range = tuple[float, float]

# Largest differences that come from Blender's rounding: of frames, values, and values of handles.
SAME_FRAME, SAME_VALUE, SAME_HANDLE = 0.01, 1e-4, 2e-3


@dataclass(frozen=True)
class CurrentKeys:
    """The N keys that a curve has now.

    Attributes:
        frames: Frames (N,), ascending.
        values: Values (N,).
        left: Frames and values (N, 2) of the left handles.
        right: Frames and values (N, 2) of the right handles.
        automatic: Whether Blender places both handles, bool (N,).
        bezier: Whether the curve up to the next key is a Bézier curve, not constant, linear or easing, bool (N,).
    """

    frames: Floats
    values: Floats
    left: Floats
    right: Floats
    automatic: Bools
    bezier: Bools


def find_edits(
    current: CurrentKeys, frames: Floats, values: Floats, left: Floats, right: Floats, window: Range
) -> list[Range]:
    """Return the ranges of frames in a window where a curve differs from the keys that were generated.

    A key that was moved, added or reshaped is a range of no length; two such keys with none between them are one range.
    Where a key was deleted, the range goes from the key before to the key after it, or to the window's end where there
    is none. A window without keys is no edit.

    Args:
        current: The keys that the curve has now in the window.
        frames: Frames (M,) of the generated keys in the window, ascending.
        values: Their values (M,).
        left: Frames and values (M, 2) of their left handles; NaN values where Blender places the handles.
        right: Frames and values (M, 2) of their right handles, likewise.
        window: First and last frame.
    """
    if _is_unedited(current, frames, values, left, right) or not len(current.frames):
        return []
    ranges: list[Range] = []
    if len(frames):
        ends = np.r_[window[0], current.frames, window[1]]
        gone = ~is_inside(frames, [(frame, frame) for frame in current.frames.tolist()])
        ranges += [
            (float(ends[after]), float(ends[after + 1]))
            for after in np.searchsorted(current.frames, frames[gone]).tolist()
        ]
    if len(frames) and len(current.frames):
        nearest = _nearest(frames, current.frames)
        same = np.abs(current.frames - frames[nearest]) < SAME_FRAME
        new = np.r_[0.0, np.where(same, 0.0, 1.0), 0.0]
        same &= np.abs(current.values - values[nearest]) < SAME_VALUE
        co, placed = np.stack([frames, values], 1)[nearest], np.isnan(left[nearest, 1])
        # The first and the last generated handle have any length: they reach to keys of others.
        before, after = np.where(nearest == 0, np.inf, new[:-2]), np.where(nearest == len(frames) - 1, np.inf, new[2:])
        same &= np.where(
            placed,
            current.automatic,
            _is_same_handle((left[nearest] - co).T, (current.left - co).T, before, _same_handle(frames))
            & _is_same_handle((right[nearest] - co).T, (current.right - co).T, after, _same_handle(frames)),
        )
    else:
        same = np.zeros(len(current.frames), bool)
    ranges += [(frame, frame) for frame in current.frames[~same].tolist()]
    reshaped = ~current.bezier[:-1] | ~(same[:-1] | same[1:])
    ranges += zip(current.frames[:-1][reshaped].tolist(), current.frames[1:][reshaped].tolist(), strict=True)
    return ranges


def merge_ranges(ranges: list[Range], gap: float) -> list[Range]:
    """Return the ranges in order, those with no more than `gap` frames between them as one."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first - result[-1][1] <= gap:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def is_inside(frames: Floats, ranges: list[Range]) -> Bools:
    """Return for each of frames (N,) whether it lies in one of the ranges, bool (N,)."""
    spans = merge_ranges(ranges, 0.0)
    if not spans:
        return np.zeros(len(frames), bool)
    first, last = np.array(spans).T
    span = np.searchsorted(first, frames + SAME_FRAME, "right") - 1
    inside: Bools = (span >= 0) & (frames < last[span] + SAME_FRAME)
    return inside


def borders(ranges: list[Range], transition: float) -> list[tuple[int, int]]:
    """Return for each range the last generated frame before it and the first one after it.

    Args:
        ranges: The artist's ranges.
        transition: Frames that lie between a range and generated keys, at least.
    """
    return [(int(np.floor(first - transition)), int(np.ceil(last + transition))) for first, last in ranges]


def is_between_borders(frames: Floats, borders: list[tuple[int, int]]) -> Bools:
    """Return for each of frames (N,) whether it lies inside a range's borders and is none of them, bool (N,)."""
    return is_inside(frames, [(before + 1, after - 1) for before, after in borders])


def _is_unedited(current: CurrentKeys, frames: Floats, values: Floats, left: Floats, right: Floats) -> bool:
    """Return whether all keys are as they were generated: the usual case, decided quickly."""
    if len(current.frames) != len(frames):
        return False
    placed = np.isnan(left[:, 1])
    first, last = ~placed, ~placed  # the handles that are compared: not those that point out of the window
    first[:1], last[-1:] = False, False
    return (
        bool(current.bezier[:-1].all())
        and bool((np.abs(current.frames - frames) < SAME_FRAME).all())
        and bool((np.abs(current.values - values) < SAME_VALUE).all())
        and bool(current.automatic[placed].all())
        and all(
            bool((np.abs(now - generated)[compared] < _same_handle(frames)).all())
            for now, generated, compared in ((current.left, left, first), (current.right, right, last))
        )
    )


def _same_handle(frames: Floats) -> tuple[float, float]:
    """Return the largest differences of a handle's frame and value that come from rounding, for keys at frames (N,).

    Handles lie at fractions of a frame, which single precision rounds more, the later they are. Blender then turns the
    handles of a key until they are on one line again.
    """
    latest = np.abs(frames).max(initial=0).astype(np.float32)
    frame = max(SAME_FRAME, 2 * float(np.spacing(latest)))
    return frame, SAME_HANDLE * frame / SAME_FRAME


def _is_same_handle(generated: Floats, current: Floats, free: Floats, largest: tuple[float, float]) -> Bools:
    """Return for handles (2, N) relative to their keys whether they are the same, bool (N,).

    Args:
        generated: The handles as they were generated.
        current: The handles now.
        free: Up to which share of its length (N,) a handle may have another length, in its own direction; 0 for none.
            Where a new key was set on its side it is 1: Blender then shortens it, so that the curve keeps its shape.
        largest: Differences of frame and value that come from rounding.
    """
    part = np.clip(np.divide(current[0], generated[0], out=np.ones(len(free)), where=generated[0] != 0), 0, free)
    generated = np.where(free > 0, part, 1) * generated
    away = np.abs(current - generated)
    same: Bools = (away[0] < largest[0]) & (away[1] < largest[1])
    return same


def _nearest(to: Floats, frames: Floats) -> NDArray[np.intp]:
    """Return for each of frames (N,) the index of the nearest of `to` (M,), ascending and not empty."""
    right = np.clip(np.searchsorted(to, frames), 1, max(len(to) - 1, 1))
    right = np.minimum(right, len(to) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(to[left] - frames) <= np.abs(to[right] - frames), left, right)
