"""Reduces a value on every frame to a few Bézier keys that an artist can edit, within an error bound. No bpy.

All curves of a line are reduced at once. Between two keys a curve is the cubic whose handles reach a third of the way
to the other key: then Blender's Bézier curve is a plain cubic polynomial of time, with no root to find. A key's two
handles lie on one line, so that curves stay smooth however few keys they have.

The first keys are where they matter to an animator: at the ends, at every prominent extreme, with flat handles, and
where the lips close. The slopes of the other keys are the least-squares fit to all frames. Where the fit is too far
off, a key is added at the worst frame, until all frames are within the bound. Lips that meet stay closed at any bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..prediction import lips as lips_module
from ..scene.smoothing import smoothstep

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

CHANNEL_SHARE = 0.5  # of the bound on the lips that one channel may use up; few channels err the same way at once
CONTACT_ERROR = 0.1  # millimetres: no error may part or press lips that meet by more
LEAST_OPENING = 0.2  # millimetres: a channel that never parts or closes the lips by more does not matter to a closure
SAFETY = 0.99  # of a bound: leaves room for rounding to float32
SLOPE_WEIGHT = 2e-3  # of a frame's own slope, where keys are so dense that no frame between them determines it
ITERATIONS = 12  # of the conjugate gradients; each divides the error of the slopes by about three


@dataclass(frozen=True)
class ErrorBound:
    """How far curves may be from the motion at any frame.

    Attributes:
        value: Of a shape key.
        millimetres: On the lips, all channels together.
    """

    value: float = 0.01
    millimetres: float = 0.2


@dataclass(frozen=True)
class Keys:
    """The N keys of one curve.

    Attributes:
        frames: Scene frames (N,), ascending; may be fractions.
        values: Values (N,).
        slopes: Slopes (N,) at the keys, value a frame; NaN where Blender places the handles.
    """

    frames: Floats
    values: Floats
    slopes: Floats

    @property
    def automatic(self) -> Bools:
        """Whether Blender places the handles, bool (N,)."""
        return np.isnan(self.slopes)

    def handles(self) -> tuple[Floats, Floats]:
        """Return the left and right Bézier handles, frames and values (N, 2) each; NaN values of automatic ones."""
        handles = np.empty((2, len(self.frames), 2))
        left, right = handles
        third = np.diff(self.frames) / 3
        left[1:, 0], right[:-1, 0] = -third, third
        left[:1, 0], right[-1:, 0] = (-third[0], third[-1]) if len(third) else (-1, 1)
        handles[:, :, 1] = handles[:, :, 0] * self.slopes
        handles[:, :, 0] += self.frames
        handles[:, :, 1] += self.values
        return left, right

    def evaluate(self, frames: Floats) -> Floats:
        """Return the values (F,) of the curve at frames (F,); constant before the first and after the last key."""
        frames = np.clip(frames, self.frames[0], self.frames[-1])
        if len(self.frames) == 1:
            return np.full(len(frames), self.values[0])
        left = np.clip(np.searchsorted(self.frames, frames, "right") - 1, 0, len(self.frames) - 2)
        length = self.frames[left + 1] - self.frames[left]
        rise, start, end = _hermite((frames - self.frames[left]) / length)
        values: Floats = (
            self.values[left]
            + (self.values[left + 1] - self.values[left]) * rise
            + length * (self.slopes[left] * start + self.slopes[left + 1] * end)
        )
        return values

    def slope(self, frame: float) -> float:
        """Return the slope of the curve at a frame, value a frame; 0 before the first and after the last key."""
        right = int(np.searchsorted(self.frames, frame, "right"))
        if not 0 < right < len(self.frames):
            return 0.0
        pair = slice(right - 1, right + 1)
        length, rise = np.diff(self.frames[pair])[0], np.diff(self.values[pair])[0]
        t = (frame - self.frames[right - 1]) / length
        start, end = self.slopes[pair]
        return float(6 * t * (1 - t) * rise / length + (1 - t) * (1 - 3 * t) * start + t * (3 * t - 2) * end)

    def only(self, chosen: Bools) -> "Keys":
        """Return the keys that are `chosen`, bool (N,)."""
        return self if chosen.all() else Keys(self.frames[chosen], self.values[chosen], self.slopes[chosen])

    def joined(self, other: "Keys") -> "Keys":
        """Return the keys of both in order of time."""
        frames, values, slopes = (
            np.concatenate(pair)
            for pair in ((self.frames, other.frames), (self.values, other.values), (self.slopes, other.slopes))
        )
        order = np.argsort(frames, kind="stable")
        return Keys(frames[order], values[order], slopes[order])


@dataclass(frozen=True)
class ReducedKeys:
    """Keys of K curves, and the largest errors at any frame.

    Attributes:
        keys: Keys of each curve.
        value_error: Of a shape key's value.
        lip_error: On the lips, in millimetres.
    """

    keys: list[Keys]
    value_error: float
    lip_error: float


def key_every_frame(motion: Floats, first_frame: int) -> ReducedKeys:
    """Return a key on each frame, from first_frame on, for each column of motion (F, K).

    Blender places the handles, but those at the ends of a curve that rests there, which are level.
    """
    frames = first_frame + np.arange(len(motion), dtype=np.float64)
    slopes = np.full_like(motion, np.nan)
    slopes[[0, -1]] = np.where(motion[[0, -1]] == 0, 0, np.nan)
    return ReducedKeys([Keys(frames, *pair) for pair in zip(motion.T, slopes.T, strict=True)], 0.0, 0.0)


def reduce_keys(
    motion: Floats,
    lips: Floats,
    bound: ErrorBound,
    first_frame: int,
    pinned: Bools,
    end_slopes: Floats | None = None,
) -> ReducedKeys:
    """Find few keys for all curves of a line, whose errors stay within a bound.

    Args:
        motion: Values (F, K) of the K curves, one row a frame.
        lips: Offsets of the lips (K, L, 3) in millimetres for each channel at 1, see `lips.measure`; L may be 0.
        bound: Largest errors that are allowed.
        first_frame: Scene frame of the first row.
        pinned: Frames that get a key in any case, bool (K, F).
        end_slopes: Slopes (K, 2) at the first and the last frame; NaN where any slope is fine. All are by default.
    """
    if len(motion) < 3:
        return key_every_frame(motion, first_frame)
    curves = np.ascontiguousarray(motion.T, np.float32)
    reach, opening = np.linalg.norm(lips, axis=2).max(1, initial=0), lips_module.opening(lips)
    share = CHANNEL_SHARE * bound.millimetres / np.maximum(reach, 1e-9)
    allowed = SAFETY * np.minimum(bound.value, share).astype(np.float32)
    flat = extremes(curves, allowed)
    flat[:, [0, -1]] = curves[:, [0, -1]] == 0  # at rest: the curve goes on level
    fixed = np.zeros_like(curves)
    if end_slopes is not None:
        fixed[:, [0, -1]] = np.nan_to_num(end_slopes)
        flat[:, [0, -1]] |= ~np.isnan(end_slopes)
    is_key = flat | pinned | _closures(curves, opening)
    is_key[:, [0, -1]] = True
    slopes, error = np.zeros_like(curves), np.zeros_like(curves)
    todo = np.arange(len(curves))
    while len(todo):
        slopes[todo], error[todo] = _fit_slopes(curves[todo], is_key[todo], flat[todo], fixed[todo])
        added = np.zeros_like(is_key)
        added[todo] = _worst_frames(np.abs(error[todo]) / allowed[todo, None], is_key[todo])
        if not added.any():
            too_far = _lip_errors(error, lips) > SAFETY * bound.millimetres
            added = _worst_channels(error, reach, too_far)
            in_contact = opening @ curves < lips_module.CONTACT_APERTURE
            parted = in_contact & (np.abs(opening @ error) > SAFETY * CONTACT_ERROR)
            added |= _worst_channels(error, np.abs(opening), parted)
        is_key |= added
        todo = np.flatnonzero(added.any(1))
    keys = [
        Keys(first_frame + np.flatnonzero(at).astype(np.float64), curve[at], slope[at])
        for curve, slope, at in zip(curves, slopes, is_key, strict=True)
    ]
    return ReducedKeys(keys, float(np.abs(error).max(initial=0)), float(_lip_errors(error, lips).max(initial=0)))


def extremes(curves: Floats, prominence: Floats) -> Bools:
    """Find the maxima and minima of curves that stand out.

    Args:
        curves: Values (K, F) of K curves.
        prominence: By how much (K,) a curve must rise or fall between two extremes.

    Returns:
        Whether a frame is an extreme, bool (K, F), never at the ends; of a plateau, its first and last frame.
    """
    count = curves.shape[1]
    moves = np.diff(curves, axis=1)
    frames = np.broadcast_to(np.arange(count - 1), moves.shape)
    latest = np.maximum.accumulate(np.where(moves != 0, frames, 0), axis=1)  # frame of the latest step that moved
    rising = np.take_along_axis(moves, latest, 1) > 0
    turns = np.zeros(curves.shape, bool)
    turns[:, 1:-1] = (rising[:, 1:] != rising[:, :-1]) & (moves[:, 1:] != 0)
    turns[:, [0, -1]] = True
    turn = np.flatnonzero(turns)
    limits = np.repeat(prominence, turns.sum(1))
    is_end = (turn % count == 0) | (turn % count == count - 1)
    # The smallest ups and downs vanish first, with both their frames, until all that are left stand out.
    while True:
        rise = np.abs(np.diff(curves.ravel()[turn]))
        rise[is_end[1:] & is_end[:-1]] = np.inf  # from one curve to the next
        around = np.r_[np.inf, rise, np.inf]
        small = (rise < limits[1:]) & (rise < around[:-2]) & (rise <= around[2:])
        gone = (np.r_[small, False] | np.r_[False, small]) & ~is_end
        if not gone.any():
            break
        turn, limits, is_end = turn[~gone], limits[~gone], is_end[~gone]
    turn = turn[~is_end]
    row, frame = turn // count, turn % count
    result = np.zeros(curves.shape, bool)
    result[row, frame] = result[row, latest[row, frame - 1] + 1] = True
    return result


def _closures(curves: Floats, opening: Floats) -> Bools:
    """Return where the lips come closest and meet, in the channels that part or close them, bool (K, F).

    curves are (K, F), opening (K,) is in millimetres.
    """
    aperture = opening @ curves
    prominence = np.array([lips_module.CONTACT_APERTURE / 4], np.float32)
    closest = extremes(aperture[None], prominence)[0] & (aperture < lips_module.CONTACT_APERTURE)
    result: Bools = closest & (np.abs(opening) * np.abs(curves).max(1) > LEAST_OPENING)[:, None]
    return result


def _fit_slopes(curves: Floats, is_key: Bools, given: Bools, fixed: Floats) -> tuple[Floats, Floats]:
    """Return slopes at keys and errors at frames, both (K, F), of the best curves through the keys of curves (K, F).

    Keys whose slope is `given` (K, F) have the `fixed` one (K, F), which is 0 at all others.
    """
    y = curves.ravel()
    key = np.flatnonzero(is_key)
    length = np.diff(key)  # of the segment after each key but the last; the one from curve to curve has length 1
    segment = np.cumsum(is_key.ravel()) - 1
    left = np.minimum(segment, len(length) - 1)
    frames = length[left].astype(np.float32)
    rise, start, end = _hermite((np.arange(len(y)) - key[left]).astype(np.float32) / frames)
    start, end = start * frames, end * frames
    base = y[key[left]]
    rest = y - base - (y[key[left + 1]] - base) * rise
    # Least squares for the slopes: tridiagonal, with sums over the frames of a segment that depend on its length only.
    n = length.astype(np.float64)
    own, shared = n**3 / 105 - 1 / (30 * n) + 1 / (42 * n**3), -(n**3) / 140 - 1 / (60 * n) + 1 / (42 * n**3)
    starts = np.add.reduceat(rest * start, key[:-1])
    ends = np.add.reduceat(rest * end, key[:-1])
    diagonal = np.r_[own, 0] + np.r_[0, own] + SLOPE_WEIGHT
    slope = np.zeros_like(curves)
    slope[:, 1:-1] = (curves[:, 2:] - curves[:, :-2]) / 2
    right = np.r_[starts, 0] + np.r_[0, ends] + SLOPE_WEIGHT * slope.ravel()[key]
    slopes = _solve(diagonal, shared, right, fixed.ravel()[key], ~given.ravel()[key]).astype(np.float32)
    error = rest - slopes[left] * start - slopes[left + 1] * end
    slope.ravel()[key] = slopes
    return slope, error.reshape(curves.shape)


def _solve(diagonal: Floats, off: Floats, right: Floats, fixed: Floats, free: Bools) -> Floats:
    """Solve a symmetric tridiagonal system by preconditioned conjugate gradients: (N,), `fixed` where it is not `free`.

    The diagonal of these systems exceeds the sum of the others by a third, so a few iterations are enough.
    """

    def times(vector: Floats) -> Floats:
        product = diagonal * vector
        product[1:] += off * vector[:-1]
        product[:-1] += off * vector[1:]
        return product * free

    x = fixed.astype(np.float64)
    residual = right * free - times(x)
    direction = step = residual / diagonal
    for _ in range(ITERATIONS):
        product = times(direction)
        size = residual @ step
        if size <= 0:
            break
        ratio = size / (direction @ product)
        x = x + ratio * direction
        residual = residual - ratio * product
        step = residual / diagonal
        direction = step + (residual @ step) / size * direction
    return x


def _worst_frames(error: Floats, is_key: Bools) -> Bools:
    """Return the worst frame of every segment between keys whose largest error (K, F) is above 1, bool (K, F)."""
    flat = error.ravel()
    key = np.flatnonzero(is_key)
    largest = np.maximum.reduceat(flat, key)
    at = np.flatnonzero((flat > 1) & ~is_key.ravel())
    at = at[flat[at] >= largest[(np.cumsum(is_key.ravel()) - 1)[at]]]
    result = np.zeros(flat.shape, bool)
    result[at] = True
    return result.reshape(error.shape)


def _worst_channels(error: Floats, weight: Floats, too_far: Bools) -> Bools:
    """Return at the frames too_far (F,) the channel with the largest error (K, F) times weight (K,), bool (K, F)."""
    frames = np.flatnonzero(too_far)
    result = np.zeros(error.shape, bool)
    result[np.argmax(np.abs(error[:, frames]) * weight[:, None], axis=0), frames] = True
    return result


def _lip_errors(error: Floats, lips: Floats) -> Floats:
    """Return by how many millimetres (F,) errors (K, F) move the point of the lips (K, L, 3) that they move most."""
    result: Floats = np.linalg.norm(np.tensordot(error, lips, (0, 0)), axis=2).max(1, initial=0)
    return result


def _hermite(t: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the cubic Hermite basis at t in 0 to 1: the rise from 0 to 1, and slope 1 at the start, and at the end."""
    return smoothstep(t), t * (1 - t) ** 2, -t * t * (1 - t)
