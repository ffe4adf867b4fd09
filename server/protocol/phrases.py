"""Phrases of a line: what lies between its pauses, and what an emotion does there. The add-on shares this module.

An expression belongs to what is said: it comes with the start of a phrase, holds, and eases in the pause behind it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .affect import Change, Floats, smoothstep

WINDOWS = 50.0  # per second, in which loudness is measured
LOUD_PERCENTILE = 95  # of the levels: the loud parts of a voice
MIN_PAUSE = 0.2  # seconds; the closure of a plosive is shorter
PAUSE_DEPTH = 30.0  # decibels below the loud parts

REACH = 0.75  # seconds between a change and the nearest pause: farther away, the artist has meant another moment
FARTHEST = 1.5  # seconds by which a change is moved at most: in a long pause, too, it may be meant where it is
BEFORE_START = 0.75  # share of a change that lies before the phrase starts: the face is there with the first word
ONSET = 0.4  # seconds over which an expression comes back before a phrase starts
RELEASE = 0.8  # seconds over which it eases behind a phrase; faces relax more slowly than they tighten
PAUSE_STRENGTH = 0.6  # what is left of an expression in a long pause
_LEAST = 1e-6  # seconds between two anchors


def pauses(level: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the pauses of at least MIN_PAUSE seconds.

    Args:
        level: (n,) level of the line in decibels, in WINDOWS windows a second.

    Returns:
        Starts (m,) and ends (m,) of the pauses in seconds, silence before and after the speech included.
    """
    if not len(level):
        return np.zeros(0), np.zeros(0)
    quiet = level < np.percentile(level, LOUD_PERCENTILE) - PAUSE_DEPTH
    changes = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    edges = changes / WINDOWS  # a pause begins and ends with a window, not at its centre
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= MIN_PAUSE
    return starts[long], ends[long]


def phrases(level: Floats) -> NDArray[np.float64]:
    """Return the start and end (m, 2) in seconds of each phrase, by the level (n,) of the line, as in `pauses`."""
    starts, ends = pauses(level)
    between = np.column_stack((np.append(0.0, ends), np.append(starts, len(level) / WINDOWS)))
    return between[between[:, 1] > between[:, 0]]


def moved(changes: Sequence[Change], spoken: Floats) -> tuple[Change, ...]:
    """Move changes of an emotion to where a phrase starts.

    Args:
        changes: In seconds and ascending; none overlaps the next one.
        spoken: (m, 2) start and end of the phrases in seconds.

    Returns:
        The changes, in the same order and as long as they were. Each one within REACH of the pause before a phrase lies
        where the phrase starts, most of it before, unless that is too far away or it would overlap another one.
    """
    found, before_pause = list(changes), np.append(-np.inf, spoken[:-1, 1])  # the end of the phrase before each one
    for i, change in enumerate(changes):
        centre, length = (change.start + change.end) / 2, change.end - change.start
        if len(spoken):
            away = np.maximum(np.maximum(centre - spoken[:, 0], before_pause - centre), 0)
            start = float(spoken[away.argmin(), 0])
            if away.min() <= REACH and abs(start - centre) <= FARTHEST:
                found[i] = Change(start - BEFORE_START * length, start + (1 - BEFORE_START) * length)
    while True:
        clash = [i for i in range(1, len(found)) if found[i].start < found[i - 1].end - _LEAST]
        if not clash:
            return tuple(found)
        for i in clash:
            found[i - 1], found[i] = changes[i - 1], changes[i]


def earlier_times(times: Floats, before: Sequence[Change], after: Sequence[Change]) -> NDArray[np.float64]:
    """Return where in time (F,) lay what lies at `times` (F,) when the changes `before` have become those `after`."""
    old = np.array([edge for change in before for edge in change], float)
    new = np.array([edge for change in after for edge in change], float)
    if not len(old):
        return np.asarray(times, float)
    first = min(float(times[0]), old[0], new[0]) - 1
    last = max(float(times[-1]), old[-1], new[-1]) + 1
    apart = _LEAST * np.arange(len(old) + 2)  # a cut has both edges in one place
    new, old = np.array([first, *new, last]) + apart, np.array([first, *old, last])
    earlier: NDArray[np.float64] = np.interp(times, new, old)
    return earlier


def presence(times: Floats, spoken: Floats) -> NDArray[np.float64]:
    """Return how much of an expression is there: 1 in phrases, less in pauses.

    Args:
        times: (F,) seconds, ascending.
        spoken: (m, 2) start and end of the phrases in seconds, ascending.

    Returns:
        (F,) PAUSE_STRENGTH to 1.
    """
    if not len(spoken):
        return np.ones(len(times))
    here = np.searchsorted(spoken[:, 0], times, "right")  # phrases that have started
    ends, starts = np.append(-np.inf, spoken[:, 1])[here], np.append(spoken[:, 0], np.inf)[here]
    released = smoothstep(np.clip((times - ends) / RELEASE, 0, 1))  # 0 in a phrase
    missing = smoothstep(np.clip((starts - times) / ONSET, 0, 1))
    result: NDArray[np.float64] = 1 - (1 - PAUSE_STRENGTH) * released * missing
    return result
