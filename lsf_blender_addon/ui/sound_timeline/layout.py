"""Where the sounds of a line are drawn, in pixels, and which labels have room. No bpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Colour = tuple[float, float, float, float]  # RGBA

ROW, WORD_ROW = 17.0, 15.0  # pixels at an interface scale of 1: heights of the rows of sounds and of words
PADDING = 2.0  # pixels on either side of a label
GAP = 3.0  # pixels: narrower sounds have no line between them

# Colours of the visemes: the lips are blue, teeth and tongue green to yellow, open vowels red, round ones violet. All
# are light, so that black letters can be read on them in every theme.
COLOURS: dict[str, tuple[float, float, float]] = {
    "PP": (0.45, 0.65, 1.00),
    "FF": (0.50, 0.82, 1.00),
    "TH": (0.45, 0.88, 0.85),
    "DD": (0.50, 0.85, 0.60),
    "nn": (0.62, 0.88, 0.50),
    "SS": (0.80, 0.90, 0.45),
    "CH": (0.95, 0.90, 0.45),
    "kk": (0.85, 0.78, 0.60),
    "RR": (0.80, 0.68, 0.55),
    "aa": (1.00, 0.55, 0.50),
    "E": (1.00, 0.68, 0.48),
    "I": (1.00, 0.80, 0.55),
    "O": (0.90, 0.60, 0.90),
    "U": (0.72, 0.60, 1.00),
}
OTHER = (0.75, 0.75, 0.75)  # of a sound without viseme, and of one that the artist has taken out
SURE, UNSURE = 0.92, 0.55  # opacity at a confidence of 1 and of 0
TAKEN_OUT = 0.30  # opacity
TEXT_DARK: Colour = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Row:
    """N sounds or words beside each other, in order. Times are seconds after the line's first frame.

    Attributes:
        times: (N, 2) when each begins and ends.
        labels: N texts.
        indices: (N,) which of the line's sounds or words each is.
    """

    times: Floats
    labels: tuple[str, ...]
    indices: NDArray[np.integer]


@dataclass(frozen=True)
class Place:
    """Where seconds of a line lie in a region, in pixels: x = left + seconds · scale."""

    left: float
    scale: float  # pixels a second
    bottom: float  # of the row of sounds
    height: float  # of the row of sounds
    word_height: float  # of the row of words above it; 0 where there is no room

    @property
    def top(self) -> float:
        """Upper edge of both rows."""
        return self.bottom + self.height + self.word_height


def clipped(times: Floats, labels: Sequence[str], seconds: float) -> Row:
    """The part of a row that a line plays.

    Args:
        times: (N, 2) seconds after the line's first frame.
        labels: N texts.
        seconds: Length of the line.
    """
    inside = np.flatnonzero((times[:, 1] > 0) & (times[:, 0] < seconds) & (times[:, 1] > times[:, 0]))
    return Row(np.clip(times[inside], 0, seconds), tuple(labels[i] for i in inside.tolist()), inside)


def colour(viseme: str, confidence: float, is_there: bool) -> Colour:
    """The colour of a sound.

    Args:
        viseme: Its viseme; "" for none.
        confidence: How sure the recogniser is, 0 to 1.
        is_there: Whether the face shows it: the artist has not taken it out.
    """
    if not is_there:
        return (*OTHER, TAKEN_OUT)
    return (*COLOURS.get(viseme, OTHER), UNSURE + (SURE - UNSURE) * min(max(confidence, 0.0), 1.0))


def rectangles(times: Floats, inset: float = 0.0) -> Floats:
    """The triangles of N boxes from 0 to 1 in height.

    Args:
        times: (N, 2) left and right edges.
        inset: What is left free of the height above and below.

    Returns:
        Corners (6 N, 2).
    """
    corners = np.empty((len(times), 6, 2))
    corners[:, [0, 2, 5], 0] = times[:, :1]
    corners[:, [1, 3, 4], 0] = times[:, 1:]
    corners[:, [0, 1, 3], 1] = inset
    corners[:, [2, 4, 5], 1] = 1 - inset
    return corners.reshape(-1, 2)


def ends(times: Floats) -> Floats:
    """The lines at the ends of N boxes from 0 to 1 in height.

    Args:
        times: (N, 2) left and right edges.

    Returns:
        Ends (2 N, 2) of the lines.
    """
    return np.stack([np.repeat(times[:, 1], 2), np.tile([0.0, 1.0], len(times))], 1)


def shown_labels(row: Row, widths: Floats, place: Place, region: float) -> list[tuple[int, float]]:
    """The labels that have room.

    Args:
        row: What is labelled.
        widths: (N,) pixels of the texts.
        place: Where it is drawn.
        region: Width of the region in pixels.

    Returns:
        For each label its place in the row, and where its text begins, in pixels: in the middle of what can be seen.
    """
    first = int(np.searchsorted(row.times[:, 1], -place.left / place.scale, "right"))
    last = int(np.searchsorted(row.times[:, 0], (region - place.left) / place.scale))
    edges = np.clip(place.left + row.times[first:last] * place.scale, 0, region)
    needed, left, right = widths[first:last], edges[:, 0], edges[:, 1]
    roomy = np.flatnonzero((needed > 0) & (needed <= right - left - 2 * PADDING))
    return list(zip((first + roomy).tolist(), ((left + right - needed) / 2)[roomy].tolist(), strict=True))


def short_length(row: Row) -> float:
    """Seconds of a short sound of the row: one in ten is shorter; 0 without sounds."""
    return float(np.percentile(row.times[:, 1] - row.times[:, 0], 10)) if len(row.times) else 0.0


def index_at(row: Row, place: Place, x: float) -> int | None:
    """Which of the line's sounds is at a place in a region; None where none is.

    Args:
        row: The sounds.
        place: Where they are drawn.
        x: Pixels from the region's left edge.
    """
    seconds = (x - place.left) / place.scale
    inside = np.flatnonzero((row.times[:, 0] <= seconds) & (seconds < row.times[:, 1]))
    return int(row.indices[inside[-1]]) if len(inside) else None
