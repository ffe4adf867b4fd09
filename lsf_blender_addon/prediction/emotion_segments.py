"""Shows the emotions detected in a voice over time: as segments with one emotion each, and as a picture. No bpy."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene.smoothing import hann_average

Floats = NDArray[np.floating]

SMOOTHING_WINDOW = 0.5  # seconds
MIN_SEGMENT = 0.6  # seconds: shorter segments are too many to read in a panel
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


def segments(emotion: Floats, names: tuple[str, ...], fps: float) -> list[Segment]:
    """Divide a line into segments with one strongest emotion each.

    A segment shorter than MIN_SEGMENT is merged into a neighbour.

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
    edges = [0, *(np.flatnonzero(np.diff(smooth.argmax(1))) + 1).tolist(), len(smooth)]
    while len(edges) > 2:
        lengths = np.diff(edges)
        shortest = int(lengths.argmin())
        if lengths[shortest] >= MIN_SEGMENT * fps:
            break
        # The shortest segment is merged into the neighbour whose emotion is stronger within it.
        part = smooth[edges[shortest] : edges[shortest + 1]].mean(0)
        before, after = (
            part[_strongest(smooth, edges, k)] if 0 <= k < len(lengths) else -1.0 for k in (shortest - 1, shortest + 1)
        )
        del edges[shortest if before >= after else shortest + 1]
    found: list[Segment] = []
    for start, end in pairwise(edges):
        strongest = int(smooth[start:end].mean(0).argmax())
        if found and found[-1].emotion == names[strongest]:
            start = round(found.pop().start * fps)
        found.append(Segment(start / fps, end / fps, names[strongest], float(emotion[start:end, strongest].mean())))
    return found


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


def _strongest(smooth: Floats, edges: list[int], k: int) -> int:
    """Return the index of the strongest emotion of smooth (F, E) in segment k."""
    return int(smooth[edges[k] : edges[k + 1]].mean(0).argmax())
