"""What an artist has done by hand on generated curves: found by comparison, and kept when the curves are made again.

Frames are those of the scene, and may be fractions. A range (first, last) is kept as the artist left it, both ends
included; generated keys stay a little away from it, so that one Bézier curve leads softly from them to the artist's
and back. No bpy.
"""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]
SAME_FRAME, SAME_VALUE, SAME_HANDLE = 0.01, 1e-4, 2e-3  # what Blender's own rounding may change


@dataclass(frozen=True)
class Found:
    """The N keys that a curve has now."""

    frames: np.ndarray  # (N,)
    values: np.ndarray  # (N,)
    left: np.ndarray  # (N, 2) handles
    right: np.ndarray  # (N, 2)
    automatic: np.ndarray  # (N,) bool: Blender places both handles
    bezier: np.ndarray  # (N,) bool: not constant, linear or easing up to the next key


def edited(
    found: Found, frames: np.ndarray, values: np.ndarray, left: np.ndarray, right: np.ndarray, automatic: bool
) -> list[Range]:
    """Where `found` differs from the keys that were generated: frames (N,), values (N,), handles (N, 2).

    A key that was moved, added or shaped is a range of no length; where one was taken away, the range goes from the
    key before to the key after it. `automatic`: the handles were left to Blender, and are not compared.
    """
    if not len(found.frames) or _is_untouched(found, frames, values, left, right, automatic):
        return []
    ranges = []
    if len(frames):
        nearest = _nearest(frames, found.frames)
        same = np.abs(found.frames - frames[nearest]) < SAME_FRAME
        new = np.r_[False, ~same, False]
        same &= np.abs(found.values - values[nearest]) < SAME_VALUE
        if automatic:
            same &= found.automatic
        else:
            co = np.stack([frames, values], 1)[nearest]
            same &= _is_same_handle((left[nearest] - co).T, (found.left - co).T, shorter=new[:-2])
            same &= _is_same_handle((right[nearest] - co).T, (found.right - co).T, shorter=new[2:])
        gone = frames[np.abs(found.frames[_nearest(found.frames, frames)] - frames) >= SAME_FRAME]
        for after in np.searchsorted(found.frames, gone):
            ranges.append(
                (float(found.frames[max(after - 1, 0)]), float(found.frames[min(after, len(found.frames) - 1)]))
            )
    else:
        same = np.zeros(len(found.frames), bool)
    ranges += [(frame, frame) for frame in found.frames[~same].tolist()]
    ranges += list(
        zip(found.frames[:-1][~found.bezier[:-1]].tolist(), found.frames[1:][~found.bezier[:-1]].tolist(), strict=True)
    )
    return ranges


def merged(ranges: list[Range], gap: float) -> list[Range]:
    """The ranges in order; those with no more than `gap` frames between them as one."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first - result[-1][1] <= gap:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def is_inside(frames: np.ndarray, ranges: list[Range]) -> np.ndarray:
    """(N,) bool for frames (N,)."""
    inside = np.zeros(len(frames), bool)
    for first, last in ranges:
        inside |= (frames > first - SAME_FRAME) & (frames < last + SAME_FRAME)
    return inside


def borders(ranges: list[Range], soft: float) -> list[tuple[int, int]]:
    """For each range the frames, at least `soft` away, where generated keys end before it and go on after it."""
    return [(int(np.floor(first - soft)), int(np.ceil(last + soft))) for first, last in ranges]


def is_between(frames: np.ndarray, borders: list[tuple[int, int]]) -> np.ndarray:
    """(N,) bool for frames (N,): inside the borders of a range, and none of them."""
    return is_inside(frames, [(before + 1, after - 1) for before, after in borders])


def _is_untouched(
    found: Found, frames: np.ndarray, values: np.ndarray, left: np.ndarray, right: np.ndarray, automatic: bool
) -> bool:
    """Whether all keys are as they were generated: the usual case, told quickly."""
    return (
        len(found.frames) == len(frames)
        and bool(found.bezier[:-1].all())
        and np.abs(found.frames - frames).max() < SAME_FRAME
        and np.abs(found.values - values).max() < SAME_VALUE
        and (
            bool(found.automatic.all())
            if automatic
            else all(
                (np.abs(now - made).max(0) < (SAME_FRAME, SAME_HANDLE)).all()
                for now, made in ((found.left, left), (found.right, right))
            )
        )
    )


def _is_same_handle(made: np.ndarray, found: np.ndarray, shorter: np.ndarray) -> np.ndarray:
    """(N,) bool for handles (2, N) relative to their keys. Where a new key was set on their side they may be shorter:
    Blender then shortens them, so that the curve keeps its shape.
    """
    part = np.clip(found[0] / made[0], 0, 1)
    made = np.where(shorter, part * made, made)
    return (np.abs(found[0] - made[0]) < SAME_FRAME) & (np.abs(found[1] - made[1]) < SAME_HANDLE)


def _nearest(to: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """For each of frames (N,) the index of the nearest of `to` (M,), ascending and not empty."""
    right = np.clip(np.searchsorted(to, frames), 1, max(len(to) - 1, 1))
    right = np.minimum(right, len(to) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(to[left] - frames) <= np.abs(to[right] - frames), left, right)
