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
    current: CurrentKeys, frames: Floats, values: Floats, left: Floats, right: Floats, automatic: bool
) -> list[Range]:
    """Return the ranges of frames where a curve differs from the keys that were generated.

    A key that was moved, added or reshaped is a range of no length. Where a key was deleted, the range goes from the
    key before to the key after it.

    Args:
        current: The keys that the curve has now.
        frames: Frames (M,) of the generated keys, ascending.
        values: Their values (M,).
        left: Frames and values (M, 2) of their left handles.
        right: Frames and values (M, 2) of their right handles.
        automatic: The handles were left to Blender, and are not compared.
    """
    if not len(current.frames) or _is_unedited(current, frames, values, left, right, automatic):
        return []
    ranges: list[Range] = []
    if len(frames):
        nearest = _nearest(frames, current.frames)
        same = np.abs(current.frames - frames[nearest]) < SAME_FRAME
        new = np.r_[False, ~same, False]
        same &= np.abs(current.values - values[nearest]) < SAME_VALUE
        if automatic:
            same &= current.automatic
        else:
            co = np.stack([frames, values], 1)[nearest]
            same &= _is_same_handle((left[nearest] - co).T, (current.left - co).T, may_be_shorter=new[:-2])
            same &= _is_same_handle((right[nearest] - co).T, (current.right - co).T, may_be_shorter=new[2:])
        deleted = frames[np.abs(current.frames[_nearest(current.frames, frames)] - frames) >= SAME_FRAME]
        last = len(current.frames) - 1
        ranges += [
            (float(current.frames[max(after - 1, 0)]), float(current.frames[min(after, last)]))
            for after in np.searchsorted(current.frames, deleted).tolist()
        ]
    else:
        same = np.zeros(len(current.frames), bool)
    ranges += [(frame, frame) for frame in current.frames[~same].tolist()]
    reshaped = ~current.bezier[:-1]
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
    inside = np.zeros(len(frames), bool)
    for first, last in ranges:
        inside |= (frames > first - SAME_FRAME) & (frames < last + SAME_FRAME)
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


def _is_unedited(
    current: CurrentKeys, frames: Floats, values: Floats, left: Floats, right: Floats, automatic: bool
) -> bool:
    """Return whether all keys are as they were generated: the usual case, decided quickly."""
    return (
        len(current.frames) == len(frames)
        and bool(current.bezier[:-1].all())
        and bool(np.abs(current.frames - frames).max() < SAME_FRAME)
        and bool(np.abs(current.values - values).max() < SAME_VALUE)
        and (
            bool(current.automatic.all())
            if automatic
            else all(
                bool((np.abs(now - generated).max(0) < (SAME_FRAME, SAME_HANDLE)).all())
                for now, generated in ((current.left, left), (current.right, right))
            )
        )
    )


def _is_same_handle(generated: Floats, current: Floats, may_be_shorter: Bools) -> Bools:
    """Return for handles (2, N) relative to their keys whether they are the same, bool (N,).

    Where a new key was set on their side they may be shorter: Blender then shortens them, so that the curve keeps its
    shape.
    """
    part = np.clip(current[0] / generated[0], 0, 1)
    generated = np.where(may_be_shorter, part * generated, generated)
    same: Bools = (np.abs(current[0] - generated[0]) < SAME_FRAME) & (np.abs(current[1] - generated[1]) < SAME_HANDLE)
    return same


def _nearest(to: Floats, frames: Floats) -> NDArray[np.intp]:
    """Return for each of frames (N,) the index of the nearest of `to` (M,), ascending and not empty."""
    right = np.clip(np.searchsorted(to, frames), 1, max(len(to) - 1, 1))
    right = np.minimum(right, len(to) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(to[left] - frames) <= np.abs(to[right] - frames), left, right)
