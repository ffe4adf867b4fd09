"""The circle of affect: emotions as points of valence and arousal, and the way from one to another.

Valence runs from unpleasant (−1) to pleasant (1), arousal from sleepy (−1) to excited (1). Affect falls in a circle in
this plane (Russell 1980, "A circumplex model of affect", J. Pers. Soc. Psychol. 39). Neutral is its middle, and the
distance from it is the intensity. The add-on shares this module.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .emotions import EMOTIONS
from .expressions import Expression

Floats = NDArray[np.floating]
Place = tuple[float, float]  # valence and arousal

# Degrees on the circle, from pleasure at 0 over arousal at 90. Happy, surprised, angry, disgusted and sad are at the
# angles of their mean ratings of pleasure and arousal in Russell and Mehrabian (1977), "Evidence for a three-factor
# theory of emotions", J. Res. Pers. 11: (.81, .51), (.40, .67), (−.51, .59), (−.60, .35), (−.63, −.27). Fear, at
# (−.64, .60), is all but in the place of anger there, apart from dominance. So its place and that of contempt follow
# the order in which people confuse faces (Woodworth 1938, in Schlosberg 1952, "The description of facial expressions in
# terms of two dimensions", J. Exp. Psychol. 44): happiness, surprise, fear, anger, disgust, contempt. Fear lies before
# anger, about as far as disgust lies behind it, and contempt half way from disgust to sadness. In this order neighbours
# look alike: along it, the mean poses of the shipped model are 22 % nearer to each other than with fear behind anger.
ANGLES = {"happy": 32, "surprised": 59, "fearful": 110, "angry": 131, "disgusted": 150, "contempt": 176, "sad": 203}
CALM = 45  # degrees beyond sadness and joy at which nothing is left of them: calm and sleepy faces are neutral

# What each emotion adds to a face: the largest values of the shipped model, means over the demo's line and both sides.
POSES = {
    "angry": {"browDown": 0.62, "eyeSquint": 0.27, "noseSneer": 0.19, "eyeWide": 0.18, "mouthPress": 0.12},
    "disgusted": {"noseSneer": 0.59, "browDown": 0.35, "eyeSquint": 0.28, "mouthFrown": 0.21, "cheekSquint": 0.20},
    "fearful": {"browInnerUp": 0.63, "eyeWide": 0.54, "browOuterUp": 0.35, "mouthStretch": 0.17, "browDown": 0.13},
    "happy": {"cheekSquint": 0.50, "mouthSmile": 0.46, "eyeSquint": 0.32, "browOuterUp": 0.14},
    "sad": {"browInnerUp": 0.64, "mouthFrown": 0.33, "browDown": 0.13, "eyeBlink": 0.11},
    "surprised": {"browInnerUp": 0.62, "eyeWide": 0.61, "browOuterUp": 0.57},
    "contempt": {"mouthDimple": 0.15, "mouthSmile": 0.11, "cheekSquint": 0.10, "eyeSquint": 0.16},
}
MIN_LIKENESS = 0.5  # cosine of a pose and that of an emotion; if no emotion is nearer, the pose has no place

EASE = 1.5  # largest slope of smoothstep
HANN = 2.0  # largest slope of a change that is spread by a Hann window of the same length,
HANN_ENDS = 2  # frames by which that window is longer with the zeros at its ends
# How far a way bends: half way between two points of the ring it is at the 2 · BEND + 1st power of the cosine of half
# their angle from the middle. At 2, neighbours 20° apart keep 93 % there, and points 90° apart 18 %.
BEND = 2.0
STEPS = 128  # of a way, for its length
LONGEST = 2.5  # times a transition: what the longest way through the circle takes is less
ENTRY_REACH = 1.0  # distance in the plane within which an expression of the artist's own fades
NEAR = 1e-3  # distance between places that are the same
WHOLE = 0.05  # from 0 and 1, at which a change that is spread over frames begins and ends

_NEUTRAL = EMOTIONS.index("neutral")
_FIRST = min(ANGLES.values())
_SHOWN = sorted(ANGLES, key=lambda name: ANGLES[name])
_NODES = np.array([*(ANGLES[n] for n in _SHOWN), ANGLES[_SHOWN[-1]] + CALM, _FIRST + 360 - CALM, _FIRST + 360], float)
_AT_NODE = np.array([*(EMOTIONS.index(n) for n in _SHOWN), _NEUTRAL, _NEUTRAL, EMOTIONS.index(_SHOWN[0])])


def _point(degrees: float) -> Place:
    """The place at an angle of the circle."""
    return float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))


PLACES: dict[str, Place] = {name: _point(ANGLES[name]) if name in ANGLES else (0.0, 0.0) for name in EMOTIONS}


def smoothstep(t: Floats) -> Floats:
    """Return the cubic that rises from 0 to 1 with slope 0 at both ends, at t in 0 to 1, any shape."""
    result: Floats = t * t * (3 - 2 * t)
    return result


def weights(points: Floats) -> NDArray[np.float64]:
    """Return how much of each emotion a point of the circle is.

    At the place of an emotion this is that emotion alone. Between two neighbours on the circle it is a mixture of both,
    and towards the middle it becomes neutral.

    Args:
        points: (…, 2) valence and arousal; outside of the circle it is the nearest point of it.

    Returns:
        (…, 8) weights in the order of EMOTIONS, 0 to 1, that sum to 1.
    """
    points = np.asarray(points, float)
    flat = points.reshape(-1, 2)
    intensity = np.minimum(np.hypot(flat[:, 0], flat[:, 1]), 1)
    angle = (np.degrees(np.arctan2(flat[:, 1], flat[:, 0])) - _FIRST) % 360 + _FIRST
    low = np.clip(np.searchsorted(_NODES, angle, "right") - 1, 0, len(_NODES) - 2)
    share = smoothstep(np.clip((angle - _NODES[low]) / (_NODES[low + 1] - _NODES[low]), 0, 1))
    result, rows = np.zeros((len(flat), len(EMOTIONS))), np.arange(len(flat))
    result[rows, _AT_NODE[low]] += intensity * (1 - share)
    result[rows, _AT_NODE[low + 1]] += intensity * share
    result[:, _NEUTRAL] += 1 - intensity
    return result.reshape(*points.shape[:-1], len(EMOTIONS))


def place(emotions: Mapping[str, float]) -> Place | None:
    """Return the place of a mixture of emotions, the mean of theirs; None if there is none in it."""
    total = sum(emotions.values())
    if total <= 0:
        return None
    scale = max(total, 1.0)  # less than one emotion is a weak one
    valence, arousal = (sum(w * PLACES[name][axis] for name, w in emotions.items()) / scale for axis in (0, 1))
    return float(valence), float(arousal)


def place_of_pose(channels: Mapping[str, float]) -> Place | None:
    """Estimate the place of a pose from the emotions whose poses it resembles.

    Args:
        channels: Values of ARKit's channels; both sides count alike.

    Returns:
        The mean place of the emotions that are as near as MIN_LIKENESS, weighted by the likeness; None if none is.
    """
    pose: dict[str, float] = {}
    for name, value in channels.items():
        both = name.removesuffix("Left").removesuffix("Right")
        pose[both] = pose.get(both, 0.0) + (value / 2 if both != name else value)
    length = np.sqrt(sum(value**2 for value in pose.values()))
    if length == 0:
        return None
    likeness = {}
    for emotion, own in POSES.items():
        along = sum(value * pose.get(name, 0.0) for name, value in own.items())
        cosine = along / (length * np.sqrt(sum(value**2 for value in own.values())))
        if cosine > MIN_LIKENESS:
            likeness[emotion] = float(cosine - MIN_LIKENESS)
    total = sum(likeness.values())
    return place({emotion: value / total for emotion, value in likeness.items()}) if likeness else None


def place_of_expression(expression: Expression) -> Place | None:
    """Return the place of an expression that an artist has made: its own, or that of its emotions or of its pose."""
    return expression.affect or place(expression.emotions) or place_of_pose(expression.weights)


def path(start: Floats, end: Floats, way: Floats) -> NDArray[np.float64]:
    """Return the points of a way through the circle.

    It is a straight line that bends towards the middle, the more, the farther the two lie apart: a way between
    neighbours stays near the ring, and one across passes neutral. What lies between is then passed as a hint.

    Args:
        start: (n, 2) or (2,) first point.
        end: (n, 2) or (2,) last point.
        way: (n,) 0 at the first point, 1 at the last one.

    Returns:
        (n, 2) points.
    """
    start, end, t = np.asarray(start, float), np.asarray(end, float), np.asarray(way, float)[:, None]
    middle, half = (start + end) / 2, (end - start) / 2
    near, far = (middle**2).sum(-1, keepdims=True), (half**2).sum(-1, keepdims=True)
    kept = (near / np.maximum(near + far, 1e-12)) ** BEND  # of the distance from neutral, half way
    points: NDArray[np.float64] = ((1 - t) * start + t * end) * (1 - 4 * (1 - kept) * t * (1 - t))
    return points


class End(NamedTuple):
    """One end of a change, in n frames or in one.

    Attributes:
        weights: (n, C) or (C,) weights of what can be shown: EMOTIONS, and entries of a bank after them.
        place: (n, 2) or (2,) where it lies on the circle; None: not known.
    """

    weights: Floats
    place: Floats | None

    def at(self, frame: int) -> "End":
        """Return the end in one of its n frames."""
        return End(self.weights[frame], None if self.place is None else self.place[frame])


def passed(start: End, end: End, way: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return what is shown on a way through the circle.

    An entry of a bank has no area of the circle: it fades on the way from its place or to it. Without a place, and
    between two ends at the same place, the weights cross-fade.

    Args:
        start: Where the way begins.
        end: Where it ends.
        way: (n,) 0 at the first, 1 at the last.

    Returns:
        Weights (n, C), and the points (n, 2) of the way if it leads through the circle.
    """
    t = np.asarray(way, float)[:, None]
    if start.place is None or end.place is None:
        return (1 - t) * start.weights + t * end.weights, None
    apart = np.hypot(*np.moveaxis(np.asarray(end.place) - start.place, -1, 0))
    if np.min(apart) < NEAR:
        return (1 - t) * start.weights + t * end.weights, None
    points = path(start.place, end.place, way)
    shown = _padded(weights(points), start.weights.shape[-1])
    rows, rest = np.zeros_like(shown), np.ones(len(shown))
    for own in (start, end):
        assert own.place is not None
        foreign = own.weights - _padded(weights(own.place), shown.shape[1])
        distance = np.hypot(*(points - own.place).T) / np.minimum(apart, ENTRY_REACH)
        fading = np.where(np.abs(foreign).max(-1) > 1e-6, 1 - smoothstep(np.minimum(distance, 1)), 0.0)
        rows += fading[:, None] * own.weights
        rest -= fading
    return rows + rest[:, None] * shown, points


class Change(NamedTuple):
    """A change of what is shown, in frames; it begins at `start` and ends at `end`."""

    start: float
    end: float


class Rows(NamedTuple):
    """What is shown in F frames.

    Attributes:
        weights: (F, C) weights of EMOTIONS and of the entries of a bank after them, that sum to 1.
        points: (F, 2) valence and arousal; NaN where a cross-fade leads from one to the other, or the place is unknown.
        changes: The changes, in ascending order.
    """

    weights: NDArray[np.float64]
    points: NDArray[np.float64]
    changes: tuple[Change, ...]


def rows_of_choices(
    chosen: NDArray[np.integer],
    free: Floats,
    entries: Sequence[Place | None],
    frames: float,
    circle: bool = True,
) -> Rows:
    """Return what is shown for choices that change, with a way through the circle for each change.

    A change lies around the frame of its choice. It takes `frames` between neighbours, and up to twice as long across
    the circle: nothing changes faster than in a cross-fade by a Hann window over `frames`. Where the next change is too
    near, it takes what there is.

    Args:
        chosen: (F,) −1 for no choice, 0 to 7 for one of EMOTIONS, 8 + i for entry i, 8 + B for the point `free`.
        free: (F, 2) valence and arousal.
        entries: Places of the B entries.
        frames: Frames of a change; under 1 it is a cut.
        circle: Whether a change leads through the circle; else it is a cross-fade.

    Returns:
        Weights (F, 8 + B), points and changes. Where there is no choice, they are those of the choices around it.
    """
    count, columns = len(chosen), len(EMOTIONS) + len(entries)
    places = [*(np.array(PLACES[name]) for name in EMOTIONS), *(None if p is None else np.array(p) for p in entries)]

    def end(choice: int, at: slice | int) -> End:
        """What a choice shows in some frames, or in one."""
        if choice == columns:
            return End(_padded(weights(free[at]), columns), free[at])
        return End(np.eye(columns)[choice], places[choice])

    def way(before: int, after: int, at: int) -> tuple[float, NDArray[np.float64]]:
        """The way from one choice to another at a frame; the same two have one way, unless the point is among them."""
        if columns in (before, after):
            return _length(end(before, at), end(after, at), circle)
        if (before, after) not in ways_of:
            ways_of[before, after] = _length(end(before, at), end(after, at), circle)
        return ways_of[before, after]

    ways_of: dict[tuple[int, int], tuple[float, NDArray[np.float64]]] = {}
    runs = _runs(chosen)
    result, points, changes = np.zeros((count, columns)), np.full((count, 2), np.nan), []
    if not runs:
        result[:, _NEUTRAL], points[:] = 1, 0
        return Rows(result, points, ())
    limits = [0, *(round(after) for _, _, after in runs[:-1]), count]
    for (choice, _, _), first, last in zip(runs, limits, limits[1:], strict=False):
        held = end(choice, slice(first, last))
        result[first:last] = held.weights
        if held.place is not None:
            points[first:last] = held.place
    edges = [0.0, *(after - 0.5 for _, _, after in runs[:-1]), float(count - 1)]
    for i, ((before, _, _), (after, _, _)) in enumerate(pairwise(runs)):
        centre, frame = edges[i + 1], min(round(edges[i + 1]), count - 1)
        length, ways = way(before, after, frame)
        half = (frames + HANN_ENDS) * max(1.0, EASE * length / HANN) / 2
        low = centre - half if i == 0 else max(centre - half, (edges[i] + centre) / 2)
        high = centre + half if i == len(runs) - 2 else min(centre + half, (centre + edges[i + 2]) / 2)
        if frames < 1 or high - low < 1:
            changes.append(Change(centre, centre))
            continue
        span = slice(max(0, int(np.ceil(low))), min(count, int(np.floor(high)) + 1))
        eased = smoothstep(np.clip((np.arange(span.start, span.stop) - low) / (high - low), 0, 1))
        a, b = end(before, span), end(after, span)
        if circle:
            result[span], passing = passed(a, b, np.interp(eased, ways, np.linspace(0, 1, len(ways))))
            points[span] = np.nan if passing is None else passing
        else:
            result[span], points[span] = (1 - eased[:, None]) * a.weights + eased[:, None] * b.weights, np.nan
        changes.append(Change(low, high))
    return Rows(result, points, tuple(changes))


def passed_evenly(start: End, end: End, progress: Floats) -> NDArray[np.float64]:
    """Return the weights (n, C) when this share (n,) of all that changes on a way has changed; see `passed`."""
    _, ways = _length(start, end, True)
    return passed(start, end, np.interp(progress, ways, np.linspace(0, 1, len(ways))))[0]


def passed_in_time(start: End, end: End, way: Floats) -> NDArray[np.float64]:
    """Return the weights (n, C) of a change that takes as long as its way needs; see `passed`.

    Args:
        start: Where the way begins, in n frames.
        end: Where it ends, in n frames.
        way: (n,) 0 to 1 or 1 to 0, in LONGEST times the frames of a change between neighbours. One that turns back, or
            whose beginning or end is missing, is taken as it is.
    """
    middle = int(np.abs(way - 0.5).argmin())
    length, ways = _length(start.at(middle), end.at(middle), True)
    steps, edges = np.diff(way), sorted((way[0], way[-1]))
    if edges[0] < WHOLE and edges[1] > 1 - WHOLE and ((steps >= 0).all() or (steps <= 0).all()):
        rising = way if way[-1] > way[0] else way[::-1]
        half = min((len(way) / LONGEST + HANN_ENDS) * max(1.0, EASE * length / HANN), len(way)) / 2
        from_centre = np.arange(len(way)) - np.interp(0.5, rising, np.arange(len(way)))
        eased = smoothstep(np.clip(0.5 + from_centre / (2 * half), 0, 1))
        way = eased if rising is way else eased[::-1]
    return passed(start, end, np.interp(way, ways, np.linspace(0, 1, len(ways))))[0]


def _length(start: End, end: End, circle: bool) -> tuple[float, NDArray[np.float64]]:
    """How much weight moves on a way, 1 for a cross-fade, and the share of it (STEPS + 1,) at even steps of the way."""
    even = np.linspace(0, 1, STEPS + 1)
    if not circle:
        return 1.0, even
    rows, _ = passed(start, end, even)
    moved = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(rows, axis=0)).sum(1) / 2)])
    return (float(moved[-1]), moved / moved[-1]) if moved[-1] > 0 else (0.0, even)


def _runs(chosen: NDArray[np.integer]) -> list[tuple[int, int, float]]:
    """Runs of one choice: (choice, first frame, where the next run takes over); frames without a choice lie between."""
    runs: list[tuple[int, int, float]] = []
    known = np.flatnonzero(chosen >= 0)
    if not len(known):
        return runs
    firsts = known[np.flatnonzero(np.diff(chosen[known], prepend=-1))]
    for first, following in zip(firsts, [*firsts[1:], len(chosen)], strict=True):
        last = int(known[np.searchsorted(known, following) - 1])
        runs.append((int(chosen[first]), int(first), (last + 1 + int(following)) / 2))
    return runs


def _padded(emotions: Floats, columns: int) -> NDArray[np.float64]:
    """Weights (…, 8) with further columns of 0."""
    result = np.zeros((*emotions.shape[:-1], columns))
    result[..., : len(EMOTIONS)] = emotions
    return result
