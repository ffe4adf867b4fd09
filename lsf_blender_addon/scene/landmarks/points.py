"""The 68 landmarks of the iBUG 300-W numbering, 0-based: names, lines, mirror images. Left is the character's left.

Source of the numbering: Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV Workshops 2013.
"""

from itertools import pairwise

COUNT = 68

# name, its landmarks in order, whether the line is closed
LINES = (
    ("Jaw", range(17), False),
    ("Right Brow", range(17, 22), False),
    ("Left Brow", range(22, 27), False),
    ("Nose Ridge", range(27, 31), False),
    ("Nostrils", range(31, 36), False),
    ("Right Eye", range(36, 42), True),
    ("Left Eye", range(42, 48), True),
    ("Outer Lips", range(48, 60), True),
    ("Inner Lips", range(60, 68), True),
)

SPECIAL = {  # landmarks with a name of their own
    8: "Chin",
    30: "Nose Tip",
    36: "Right Eye, Outer Corner",
    39: "Right Eye, Inner Corner",
    42: "Left Eye, Inner Corner",
    45: "Left Eye, Outer Corner",
    48: "Right Mouth Corner",
    54: "Left Mouth Corner",
    51: "Upper Lip",
    57: "Lower Lip",
}

# Mouth corners, nose tip, chin, in the order in which the artist places them: enough for the fit to find the rest.
ANCHORS = (48, 54, 30, 8)

_PAIRS = (
    [(i, 16 - i) for i in range(8)]
    + [(17 + i, 26 - i) for i in range(5)]
    + [(31, 35), (32, 34)]
    + [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
)
MIRROR = {a: b for right, left in _PAIRS for a, b in ((right, left), (left, right))}  # without those on the midline
RIGHT = tuple(right for right, _left in _PAIRS)


def name(point: int) -> str:
    """Name of a landmark for the artist: its own, if it has one, else that of its line."""
    return SPECIAL.get(point) or line_name(point)


def line_name(point: int) -> str:
    """Name of the line that a landmark lies on."""
    return next(line for line, indices, _closed in LINES if point in indices)


def segments() -> list[tuple[int, int]]:
    """Pairs of neighbouring landmarks on the lines."""
    pairs: list[tuple[int, int]] = []
    for _name, indices, closed in LINES:
        pairs += list(pairwise(indices)) + ([(indices[-1], indices[0])] if closed else [])
    return pairs
