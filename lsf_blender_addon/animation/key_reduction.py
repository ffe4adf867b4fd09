"""From a value on every frame to few Bézier keys that an artist can edit, within an error bound. No bpy.

All curves of a line are thinned at once. Between two keys a curve is the cubic whose handles reach a third of the way
to the other key: then Blender's Bézier curve is a plain cubic polynomial of time, with no root to find. A key's two
handles lie on one line, so that curves stay smooth however few keys they have.

Keys start where they matter to an animator: at the ends, at every extreme that stands out, with flat handles, and where
the lips close. The slopes of the other keys are the least-squares fit to all frames. Where the fit is too far off, a
key is added at the worst frame, until all frames are within the bound. Lips that are shut stay so at any bound.
"""

from dataclasses import dataclass

import numpy as np

from ..prediction import lips as lips_module

SHARE = 0.5  # of the bound in millimetres that one channel may use up; few channels err the same way at once
CLOSED = 1.0  # millimetres: where lips come closest and are closer than this, they meet
SHUT, SLIT = 0.3, 0.1  # millimetres: lips that are closer are shut, and no error may part them further than the second
COUNTS = 0.2  # millimetres: a channel that never parts or closes the lips by more does not matter to a closure
EASE = 2e-3  # weight of the frames' own slope where keys are so dense that no frame between them tells it
STEPS = 12  # of the conjugate gradients; each makes the error in the slopes about a third


@dataclass(frozen=True)
class Bound:
    """How far curves may be from the motion at any frame."""

    value: float = 0.01  # of a shape key
    millimetres: float = 0.2  # on the lips, all channels together


@dataclass(frozen=True)
class Keys:
    """Keys of one curve."""

    frames: np.ndarray  # (N,) float, ascending
    values: np.ndarray  # (N,)
    slopes: np.ndarray  # (N,) value a frame

    def handles(self) -> tuple[np.ndarray, np.ndarray]:
        """Left and right Bézier handles, (N, 2) frames and values each."""
        handles = np.empty((2, len(self.frames), 2))
        left, right = handles
        third = np.diff(self.frames) / 3
        left[1:, 0], right[:-1, 0] = -third, third
        left[:1, 0], right[-1:, 0] = (-third[0], third[-1]) if len(third) else (-1, 1)
        handles[:, :, 1] = handles[:, :, 0] * self.slopes
        handles[:, :, 0] += self.frames
        handles[:, :, 1] += self.values
        return left, right

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Values of the curve at any frames (F,); before the first key and after the last one it holds."""
        frames = np.clip(frames, self.frames[0], self.frames[-1])
        if len(self.frames) == 1:
            return np.full(len(frames), self.values[0])
        left = np.clip(np.searchsorted(self.frames, frames, "right") - 1, 0, len(self.frames) - 2)
        length = self.frames[left + 1] - self.frames[left]
        rise, start, end = _hermite((frames - self.frames[left]) / length)
        return (
            self.values[left]
            + (self.values[left + 1] - self.values[left]) * rise
            + length * (self.slopes[left] * start + self.slopes[left + 1] * end)
        )

    def outside(self, inside: np.ndarray) -> "Keys":
        """Those that are not inside (N,) bool."""
        return Keys(self.frames[~inside], self.values[~inside], self.slopes[~inside]) if inside.any() else self


@dataclass(frozen=True)
class Fit:
    """Keys of K curves, and the largest errors at any frame."""

    keys: list[Keys]
    value: float
    millimetres: float


def every_frame(motion: np.ndarray, first_frame: int) -> Fit:
    """A key on each frame for each column of motion (F, K)."""
    frames = first_frame + np.arange(len(motion), dtype=np.float64)
    slopes = np.gradient(motion, axis=0) if len(motion) > 1 else np.zeros_like(motion)
    return Fit([Keys(frames, motion[:, k], slopes[:, k]) for k in range(motion.shape[1])], 0.0, 0.0)


def thin(motion: np.ndarray, lips: np.ndarray, bound: Bound, first_frame: int, pinned: np.ndarray) -> Fit:
    """Few keys for each column of motion (F, K).

    lips (K, L, 3) are millimetres for a channel at 1, L may be 0. pinned (K, F) bool asks for further keys.
    """
    if len(motion) < 3:
        return every_frame(motion, first_frame)
    curves = np.ascontiguousarray(motion.T, np.float32)
    reach, opening = np.linalg.norm(lips, axis=2).max(1, initial=0), lips_module.opening(lips)
    allowed = 0.99 * np.minimum(bound.value, SHARE * bound.millimetres / np.maximum(reach, 1e-9)).astype(np.float32)
    flat = extremes(curves, allowed)
    is_key = flat | pinned | _closures(curves, opening)
    is_key[:, [0, -1]] = True
    slopes, error = np.zeros_like(curves), np.zeros_like(curves)
    todo = np.arange(len(curves))
    while len(todo):
        slopes[todo], error[todo] = _fit(curves[todo], is_key[todo], flat[todo])
        split = np.zeros_like(is_key)
        split[todo] = _worst_frames(np.abs(error[todo]) / allowed[todo, None], is_key[todo])
        if not split.any():
            split = _worst_channels(error, reach, _off_the_lips(error, lips) > 0.99 * bound.millimetres)
            parted = (opening @ curves < SHUT) & (np.abs(opening @ error) > 0.99 * SLIT)
            split |= _worst_channels(error, np.abs(opening), parted)
        is_key |= split
        todo = np.flatnonzero(split.any(1))
    keys = [
        Keys(first_frame + np.flatnonzero(at).astype(np.float64), curve[at], slope[at])
        for curve, slope, at in zip(curves, slopes, is_key, strict=True)
    ]
    return Fit(keys, float(np.abs(error).max(initial=0)), float(_off_the_lips(error, lips).max(initial=0)))


def extremes(curves: np.ndarray, prominence: np.ndarray) -> np.ndarray:
    """(K, F) bool: tops and bottoms of curves (K, F) between which they rise or fall by more than prominence (K,).

    A plateau counts at its first and its last frame.
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


def _closures(curves: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """(K, F) bool: where the lips meet, in the channels that part or close them; opening (K,) in millimetres."""
    aperture = opening @ curves
    closed = extremes(aperture[None], np.float32([CLOSED / 4]))[0] & (aperture < CLOSED)
    return closed & (np.abs(opening) * np.abs(curves).max(1) > COUNTS)[:, None]


def _fit(curves: np.ndarray, is_key: np.ndarray, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes at keys and errors at frames, both (K, F), of the curves (K, F) through these keys."""
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
    diagonal = np.r_[own, 0] + np.r_[0, own] + EASE
    slope = np.zeros_like(curves)
    slope[:, 1:-1] = (curves[:, 2:] - curves[:, :-2]) / 2
    right = np.r_[starts, 0] + np.r_[0, ends] + EASE * slope.ravel()[key]
    slopes = _solve(diagonal, shared, right, ~flat.ravel()[key]).astype(np.float32)
    error = rest - slopes[left] * start - slopes[left + 1] * end
    slope.ravel()[key] = slopes
    return slope, error.reshape(curves.shape)


def _solve(diagonal: np.ndarray, off: np.ndarray, right: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Solution (N,) of a tridiagonal system, zero where it is not `free`: conjugate gradients, preconditioned.

    The diagonal of our systems exceeds the sum of the others by a third, so a few steps are enough.
    """
    x = np.zeros(len(right))
    residual = right * free
    direction, size = residual / diagonal, None
    step = direction
    for _ in range(STEPS):
        product = diagonal * direction
        product[1:] += off * direction[:-1]
        product[:-1] += off * direction[1:]
        product *= free
        size = residual @ step
        if size <= 0:
            break
        ratio = size / (direction @ product)
        x += ratio * direction
        residual = residual - ratio * product
        step = residual / diagonal
        direction = step + (residual @ step) / size * direction
    return x


def _worst_frames(worst: np.ndarray, is_key: np.ndarray) -> np.ndarray:
    """(K, F) bool: the frame with the largest of worst (K, F) in every segment in which one is above 1."""
    flat = worst.ravel()
    key = np.flatnonzero(is_key)
    largest = np.maximum.reduceat(flat, key)
    at = np.flatnonzero((flat > 1) & ~is_key.ravel())
    at = at[flat[at] >= largest[(np.cumsum(is_key.ravel()) - 1)[at]]]
    result = np.zeros(flat.shape, bool)
    result[at] = True
    return result.reshape(worst.shape)


def _worst_channels(error: np.ndarray, weight: np.ndarray, too_far: np.ndarray) -> np.ndarray:
    """(K, F) bool: at the frames too_far (F,), the channel whose error (K, F) times its weight (K,) is the largest."""
    frames = np.flatnonzero(too_far)
    result = np.zeros(error.shape, bool)
    result[np.argmax(np.abs(error[:, frames]) * weight[:, None], axis=0), frames] = True
    return result


def _off_the_lips(error: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """(F,) millimetres by which errors (K, F) move the point of the lips that they move most."""
    return np.linalg.norm(np.tensordot(error, lips, (0, 0)), axis=2).max(1, initial=0)


def _hermite(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of t (…) in 0 to 1: the cubics that rise from 0 to 1, and that have slope 1 at the start, and at the end."""
    rise = t * t * (3 - 2 * t)
    return rise, t * (1 - t) ** 2, -t * t * (1 - t)
