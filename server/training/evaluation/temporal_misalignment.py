"""Mean temporal misalignment (MTM) of lips: how far their openings and closures are from the true ones, in ms.

After Chae-Yeon et al. 2025 (arXiv 2503.20308): the two curves of lip distance are smoothed, aligned by derivative
dynamic time warping (Keogh and Pazzani 2001), and an extremum of the truth is matched with an extremum of the same kind
that the warping path joins to it, provided that it lies between the neighbouring extrema of the truth. MTM is the mean
distance in time of the matched ones. Unlike there:

- The curves are standardised, as tracked lips and those of a mesh have different units, and interpolated to RATE, so
  that the result is no multiple of a frame.
- Only extrema with a prominence count, as a resting mouth has many that mean nothing.
- The path stays within MAX_WARP, and the extremum may be JOIN_TOLERANCE from the path.

Only lips that have an extremum in the right place are timed, so MTM has to be read together with the share of the true
extrema that were matched, and with what the lips of another line score.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ...numerics import FloatArray, IntArray
from .. import FPS
from ..corpora import required
from .runner import Runner
from .spread import Report, Spread

RATE = 100  # Hz of the curves that are aligned
SMOOTHING = 0.04  # seconds, standard deviation: shorter than a closure
PROMINENCE = 0.25  # of an extremum, in standard deviations of its curve
MAX_WARP = 0.25  # seconds, the width of the band of the warping path to either side; a syllable is no further
JOIN_TOLERANCE = 0.02  # seconds; a path joins samples one by one, and passes a flat extremum nearby


@dataclass(frozen=True)
class Extrema:
    """Samples of a curve at RATE where lips are most open and most closed."""

    maxima: IntArray
    minima: IntArray


@dataclass(frozen=True)
class Misalignment:
    """How the extrema of two curves match.

    Attributes:
        distances: Seconds between each matched pair.
        count: Number of extrema of the truth.
    """

    distances: list[float]
    count: int

    @property
    def milliseconds(self) -> float:
        """Mean distance in ms; NaN if none matched."""
        return 1e3 * float(np.mean(self.distances)) if self.distances else float("nan")

    @property
    def matched(self) -> float:
        """Share of the true extrema that were matched; NaN if there are none."""
        return len(self.distances) / self.count if self.count else float("nan")


def prepare(curve: FloatArray) -> FloatArray:
    """Smooth a curve (F,) at 25 fps, standardise it and interpolate it at RATE."""
    smooth = gaussian_filter1d(curve.astype(np.float64), SMOOTHING * FPS, mode="nearest")
    standard = (smooth - smooth.mean()) / (smooth.std() + 1e-9)
    times = np.arange((len(curve) - 1) * RATE // FPS + 1) / RATE
    fine: FloatArray = CubicSpline(np.arange(len(curve)) / FPS, standard)(times)
    return fine


def extrema(curve: FloatArray) -> Extrema:
    """Return the prominent extrema of a prepared curve (N,)."""
    return Extrema(find_peaks(curve, prominence=PROMINENCE)[0], find_peaks(-curve, prominence=PROMINENCE)[0])


def slopes(curve: FloatArray) -> FloatArray:
    """Return the derivative estimate (N,) of Keogh and Pazzani 2001 of a curve (N,)."""
    before, after = np.r_[curve[:1], curve[:-1]], np.r_[curve[1:], curve[-1:]]
    estimate: FloatArray = ((curve - before) + (after - before) / 2) / 2
    return estimate


def warping_path(a: FloatArray, b: FloatArray) -> IntArray:
    """Align two curves by derivative dynamic time warping.

    Args:
        a: (N,) curve.
        b: (M,) curve at the same rate. The path must reach its end, so the band is at least |N − M| wide.

    Returns:
        (P, 2) pairs of samples of `a` and `b` that belong together, both never falling.
    """
    band = max(round(MAX_WARP * RATE), abs(len(a) - len(b)))
    cost = np.abs(slopes(a)[:, None] - slopes(b))
    offset = np.arange(len(a))[:, None] - np.arange(len(b))
    cost[np.abs(offset) > band] = np.inf
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(2, len(a) + len(b) + 1):  # its cells depend on the two diagonals before only
        i = np.arange(max(1, diagonal - len(b)), min(len(a), diagonal - 1) + 1)
        j = diagonal - i
        best = np.minimum(np.minimum(total[i - 1, j], total[i, j - 1]), total[i - 1, j - 1])
        total[i, j] = cost[i - 1, j - 1] + best
    path = [(len(a), len(b))]
    while path[-1] != (1, 1):
        x, y = path[-1]
        path.append(min(((x - 1, y - 1), (x - 1, y), (x, y - 1)), key=lambda cell: float(total[cell])))
    return np.array(path[::-1]) - 1


def match_extrema(truth: FloatArray, predicted: FloatArray) -> Misalignment:
    """Match the extrema of two curves.

    Args:
        truth: (F,) true aperture at 25 fps.
        predicted: (F',) predicted aperture at 25 fps, in any unit.
    """
    frames = min(len(truth), len(predicted))
    a, b = prepare(truth[:frames]), prepare(predicted[:frames])
    path, true, found = warping_path(a, b), extrema(a), extrema(b)
    every = np.sort(np.concatenate([true.maxima, true.minima]))
    distances = []
    for ours, theirs in ((true.maxima, found.maxima), (true.minima, found.minima)):
        free = set(theirs.tolist())
        for sample in ours.tolist():
            partner = _partner(sample, free, path, every)
            if partner is not None:
                free.remove(partner)
                distances.append(abs(partner - sample) / RATE)
    return Misalignment(distances, len(every))


def _partner(sample: int, candidates: set[int], path: IntArray, every: IntArray) -> int | None:
    """The candidate that the path joins to a true extremum, the nearest if several do, or None.

    `every` holds all true extrema in order; a partner lies between the two neighbours of `sample` among them.
    """
    joined = path[path[:, 0] == sample, 1]
    tolerance = round(JOIN_TOLERANCE * RATE)
    place = int(np.searchsorted(every, sample))
    first = int(every[place - 1]) if place else -1
    last = int(every[place + 1]) if place + 1 < len(every) else int(path[-1, 1]) + 1
    found = [c for c in candidates if first < c < last and joined.min() - tolerance <= c <= joined.max() + tolerance]
    return min(found, key=lambda c: abs(c - sample), default=None)


def summary(results: list[Misalignment], people: bool) -> Report:
    """Return MTM in ms over all matched extrema, and the share of all true extrema that were matched.

    Args:
        results: The misalignment of every clip.
        people: Whether every clip is another person: the spread is the range, otherwise the quartiles.
    """
    pooled = Misalignment([d for r in results for d in r.distances], sum(r.count for r in results))
    times = Spread.of((r.milliseconds for r in results), people)
    shares = Spread.of((r.matched for r in results), people)
    return {"mtm_ms": replace(times, value=pooled.milliseconds), "matched": replace(shares, value=pooled.matched)}


def misalignment_scores(runner: Runner, data: Path) -> Report:
    """Score GRID's held-out clips and the people whom no training saw.

    `other_line` are the lips of the next clip of the same corpus: what a mouth scores that moves like speech.
    """
    report: Report = {}
    for corpus in ("grid", "people"):
        clips = runner.clips(data, corpus)
        truths = [required(clip.lips)[:, 0] for clip in clips]
        lips = [runner.lips(runner.run(clip))[:, 0] for clip in clips]
        for name, shown in (("", lips), ("other_line_", lips[1:] + lips[:1])):
            results = [match_extrema(t, p) for t, p in zip(truths, shown, strict=True)]
            report |= {f"{corpus}_{name}{k}": v for k, v in summary(results, corpus == "people").items()}
    return report
