"""What a voice implies over time, in words and as a picture. No bpy."""

from typing import NamedTuple

import numpy as np

from ..scene.emotion_control import smoothed

SMOOTH, SHORTEST = 0.5, 0.6  # seconds
COLOURS = {  # sRGB: as Plutchik's wheel has them, apart from each other for the colour-blind
    "angry": (0.84, 0.19, 0.15),
    "disgusted": (0.45, 0.55, 0.18),
    "fearful": (0.16, 0.47, 0.35),
    "happy": (0.98, 0.80, 0.22),
    "sad": (0.27, 0.43, 0.75),
    "surprised": (0.42, 0.78, 0.90),
    "neutral": (0.45, 0.45, 0.45),
    "contempt": (0.58, 0.34, 0.62),
}
OTHER = (0.8, 0.8, 0.8)


class Stretch(NamedTuple):
    start: float  # seconds
    end: float
    emotion: str
    strength: float  # 0 to 1, the mean


def stretches(emotion: np.ndarray, names: tuple[str, ...], fps: float) -> list[Stretch]:
    """Parts of a line in which one emotion of emotion (F, E) leads, none too short to notice."""
    if not emotion.size:
        return []
    smooth = smoothed(emotion.astype(float), SMOOTH * fps)
    edges = [0, *(np.flatnonzero(np.diff(smooth.argmax(1))) + 1), len(smooth)]
    while len(edges) > 2:
        lengths = np.diff(edges)
        shortest = int(lengths.argmin())
        if lengths[shortest] >= SHORTEST * fps:
            break
        # It goes to the neighbour whose emotion is the stronger one in it.
        part = smooth[edges[shortest] : edges[shortest + 1]].mean(0)
        before, after = (
            part[_leader(smooth, edges, k)] if 0 <= k < len(lengths) else -1.0 for k in (shortest - 1, shortest + 1)
        )
        del edges[shortest if before >= after else shortest + 1]
    found: list[Stretch] = []
    for start, end in zip(edges, edges[1:], strict=False):
        leader = int(smooth[start:end].mean(0).argmax())
        if found and found[-1].emotion == names[leader]:
            start = round(found.pop().start * fps)
        found.append(Stretch(start / fps, end / fps, names[leader], float(emotion[start:end, leader].mean())))
    return found


def picture(emotion: np.ndarray, names: tuple[str, ...], width: int, height: int) -> np.ndarray:
    """(height, width, 4) float32 RGBA, bottom row first: time to the right, shares of the emotions (F, E) stacked."""
    columns = np.linspace(0, len(emotion), width + 1)
    sums = np.vstack((np.zeros(emotion.shape[1]), np.cumsum(emotion, 0)))
    ends = np.column_stack([np.interp(columns, np.arange(len(sums)), sums[:, e]) for e in range(emotion.shape[1])])
    shares = np.maximum(np.diff(ends, axis=0), 0) + 1e-9
    tops = np.cumsum(shares / shares.sum(1, keepdims=True), 1)  # (width, E)
    rows = (np.arange(height) + 0.5) / height
    which = (rows[:, None, None] > tops[None]).sum(2).clip(0, len(names) - 1)
    palette = np.array([(*COLOURS.get(name, OTHER), 1.0) for name in names], np.float32)
    return palette[which]


def _leader(smooth: np.ndarray, edges: list[int], k: int) -> int:
    return int(smooth[edges[k] : edges[k + 1]].mean(0).argmax())
