"""Puts the curves of several lines into one timeline: eased ends, blended where lines overlap. No bpy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .key_reduction import ErrorBound
from .line_curves import LineCurves, Window, ease_frames, ease_weight

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Composition:
    """The motion of n shape keys in a window, from all lines that reach into it."""

    names: list[str]  # n shape keys
    motion: Floats  # (F, n) values, one row a frame
    first_frame: int
    lips: Floats  # (n, L, 3) millimetres, see lips.measure
    fps: float
    bound: ErrorBound | None  # the error that is allowed; None: a key on every frame
    borders: tuple[int, ...]  # first and last frames of lines inside the window, which need a key
    goes_on: tuple[bool, bool] = (False, False)  # whether a line is there before the window, and after it
    beside: tuple[int, ...] = ()  # columns that move the lips, too, but whose curves are in another Action


def compose(lines: Sequence[LineCurves], window: Window) -> Composition:
    """Put the lines that reach into a window together.

    Before its first frame a line holds its first values, and after its last frame its last ones, which fade from and to
    rest. Where lines overlap, they share the face: each has its weight, and no more than 1 in total. Lines give way to
    those of a higher rank.

    Args:
        lines: Curves of the lines; those that do not reach into the window do not matter.
        window: First and last frame.
    """
    inside = [line for line in lines if overlap(line.window, window)]
    frames = np.arange(window[0], window[1] + 1)
    names = list(dict.fromkeys(name for line in inside for name in line.names))
    column = {name: k for k, name in enumerate(names)}
    weights = [ease_weight(frames, line.first_frame, len(line.motion), ease_frames(line.fps)) for line in inside]
    weights = [
        weight
        * (
            1
            - np.max(
                [w for other, w in zip(inside, weights, strict=True) if other.rank > line.rank], axis=0, initial=0.0
            )
        )
        for line, weight in zip(inside, weights, strict=True)
    ]
    total = np.maximum(1.0, np.sum(weights, axis=0)) if weights else np.ones(len(frames))
    motion = np.zeros((len(frames), len(names)), np.float32)
    points = max((line.lips.shape[1] for line in inside), default=0)
    lips = np.zeros((len(names), points, 3), np.float32)
    for line, weight in zip(inside, weights, strict=True):
        columns = [column[name] for name in line.names]
        held = np.clip(frames - line.first_frame, 0, len(line.motion) - 1)
        motion[:, columns] += line.motion[held] * (weight / total)[:, None].astype(np.float32)
        if line.lips.shape[1] == points:
            lips[columns] = line.lips
    ends = {frame for line in inside for frame in line.window if window[0] < frame < window[1]}
    return Composition(
        names,
        motion,
        window[0],
        lips,
        inside[0].fps if inside else 24.0,
        _tightest([line.bound for line in inside]),
        tuple(sorted(ends)),
        (
            any(line.window[0] < window[0] < line.window[1] for line in inside),
            any(line.window[0] < window[1] < line.window[1] for line in inside),
        ),
    )


def overlap(one: Window, two: Window) -> bool:
    """Whether two windows have more than an end in common."""
    return one[0] < two[1] and two[0] < one[1]


def merged(windows: Iterable[Window]) -> list[Window]:
    """The windows in order, those that overlap or touch as one."""
    result: list[Window] = []
    for first, last in sorted(windows):
        if result and first <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return result


def _tightest(bounds: list[ErrorBound | None]) -> ErrorBound | None:
    """The smallest of the bounds: the densest keys that one of the lines asks for."""
    exact = [bound for bound in bounds if bound is not None]
    return None if len(exact) < len(bounds) else min(exact, key=lambda bound: bound.value, default=ErrorBound())
