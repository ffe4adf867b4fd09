"""Shows the emotions detected in a voice over time: as segments with one emotion each, and as a picture. No bpy."""

from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene.smoothing import hann_average
from .store import DetectedEmotion

Floats = NDArray[np.floating]

SMOOTHING_WINDOW = 0.5  # seconds
MIN_SEGMENT = 0.6  # seconds: shorter segments are too many to read in a panel
DECIMALS = 9  # of mean weights; sums over hours of frames are exact to about 1e-11
COLOURS = {  # sRGB, after Plutchik's wheel of emotions, in shades that colour-blind people can tell apart
    "angry": (0.84, 0.19, 0.15),
    "disgusted": (0.45, 0.55, 0.18),
    "fearful": (0.16, 0.47, 0.35),
    "happy": (0.98, 0.80, 0.22),
    "sad": (0.27, 0.43, 0.75),
    "surprised": (0.42, 0.78, 0.90),
    "neutral": (0.45, 0.45, 0.45),
    "contempt": (0.58, 0.34, 0.62),
}
OTHER_COLOUR = (0.8, 0.8, 0.8)


class Segment(NamedTuple):
    """A part of a line in which one emotion is the strongest.

    Attributes:
        start: Start of the segment, in seconds from the start of the line.
        end: End of the segment, in seconds from the start of the line.
        emotion: Name of the emotion.
        strength: Mean weight of the emotion, 0 to 1.
    """

    start: float
    end: float
    emotion: str
    strength: float


@lru_cache(maxsize=1)
def of_line(detected: DetectedEmotion) -> list[Segment]:
    """Divide a line into segments; see `segments`. The last line is remembered, for a panel."""
    return segments(detected.emotion, detected.emotions, detected.fps)


def segments(emotion: Floats, names: tuple[str, ...], fps: float) -> list[Segment]:
    """Divide a line into segments with one strongest emotion each.

    A segment shorter than MIN_SEGMENT is merged into a neighbour, the shortest ones first.

    Args:
        emotion: Weights (F, E) of the emotions, 0 to 1.
        names: Names of the E emotions.
        fps: Frames a second.

    Returns:
        Segments in order of time that cover the line; none if E is 0.
    """
    if not emotion.size:
        return []
    smooth = hann_average(emotion.astype(float), SMOOTHING_WINDOW * fps)
    sums = np.vstack((np.zeros(smooth.shape[1]), np.cumsum(smooth, 0)))
    starts = [0, *(np.flatnonzero(np.diff(smooth.argmax(1))) + 1).tolist()]
    edges = _merged(starts, sums, MIN_SEGMENT * fps)
    found: list[Segment] = []
    for start, end in pairwise(edges):
        strongest = _strongest(sums, start, end)
        if found and found[-1].emotion == names[strongest]:
            start = round(found.pop().start * fps)
        found.append(Segment(start / fps, end / fps, names[strongest], float(emotion[start:end, strongest].mean())))
    return found


def _merged(starts: list[int], sums: Floats, shortest: float) -> list[int]:
    """Merge segments until none is shorter than `shortest` frames.

    Args:
        starts: First frame of each segment.
        sums: (F + 1, E) sums of the weights before each frame.
        shortest: Frames.

    Returns:
        First frame of each segment that remains, and the number of frames F.
    """
    frames = len(sums) - 1
    following = dict(pairwise([*starts, frames]))  # by its first frame, the first frame of the next segment
    previous = dict(pairwise(reversed(starts)))
    lengths = [(end - start, start) for start, end in following.items()]
    heapify(lengths)
    while len(following) > 1:
        length, start = heappop(lengths)
        if length >= shortest:
            break
        if following.get(start, start) - start != length:
            continue  # it was merged, or has grown
        # The shortest segment is merged into the neighbour whose emotion is stronger within it.
        end = following[start]
        mean = _mean(sums, start, end)
        before = mean[_strongest(sums, previous[start], start)] if start in previous else -1.0
        after = mean[_strongest(sums, end, following[end])] if end < frames else -1.0
        first, second = (previous[start], start) if before >= after else (start, end)
        following[first] = following.pop(second)
        del previous[second]
        if following[first] < frames:
            previous[following[first]] = first
        heappush(lengths, (following[first] - first, first))
    return [*sorted(following), frames]


def picture(emotion: Floats, names: tuple[str, ...], width: int, height: int) -> NDArray[np.float32]:
    """Draw a stacked area chart of the emotions over time.

    Args:
        emotion: Weights (F, E) of the emotions, 0 to 1; F and E are 1 or more.
        names: Names of the E emotions.
        width: Width of the picture in pixels; time runs to the right.
        height: Height of the picture in pixels.

    Returns:
        RGBA values (height, width, 4), sRGB from 0 to 1, bottom row first, as Blender stores images.
    """
    columns = np.linspace(0, len(emotion), width + 1)
    sums = np.vstack((np.zeros(emotion.shape[1]), np.cumsum(emotion, 0)))
    ends = np.column_stack([np.interp(columns, np.arange(len(sums)), sums[:, e]) for e in range(emotion.shape[1])])
    shares = np.maximum(np.diff(ends, axis=0), 0) + 1e-9  # no division by 0
    tops = np.cumsum(shares / shares.sum(1, keepdims=True), 1)  # (width, E)
    rows = (np.arange(height) + 0.5) / height
    emotion_at = (rows[:, None, None] > tops[None]).sum(2).clip(0, len(names) - 1)  # (height, width)
    palette = np.array([(*COLOURS.get(name, OTHER_COLOUR), 1.0) for name in names], np.float32)
    result: NDArray[np.float32] = palette[emotion_at]
    return result


def _strongest(sums: Floats, start: int, end: int) -> int:
    """Return the index of the emotion that is strongest from frame `start` up to `end`, of sums (F + 1, E)."""
    return int(_mean(sums, start, end).argmax())


def _mean(sums: Floats, start: int, end: int) -> Floats:
    """Return the mean weights (E,), rounded so that equal ones are equal whatever precedes them in the sums."""
    mean: Floats = ((sums[end] - sums[start]) / (end - start)).round(DECIMALS)
    return mean
