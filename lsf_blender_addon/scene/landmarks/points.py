"""The 68 points of the iBUG/300-W numbering, 0-based: names, lines, mirror images. Left is the character's."""

COUNT = 68

# name, its points along a line, whether the line is closed
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

SPECIAL = {
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

ANCHORS = (48, 54, 30, 8)  # mouth corners, nose tip, chin: enough for the fit to find the rest; in this order to be placed

_PAIRS = (
    [(i, 16 - i) for i in range(8)]
    + [(17 + i, 26 - i) for i in range(5)]
    + [(31, 35), (32, 34)]
    + [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
)
MIRROR = {a: b for right, left in _PAIRS for a, b in ((right, left), (left, right))}  # those on the middle are missing
RIGHT = tuple(right for right, _left in _PAIRS)


def name(point: int) -> str:
    return SPECIAL.get(point) or line_name(point)


def line_name(point: int) -> str:
    """The name of the line that a point lies on."""
    return next(line for line, indices, _closed in LINES if point in indices)


def segments() -> list[tuple[int, int]]:
    """Pairs of neighbours on the lines."""
    pairs = []
    for _name, indices, closed in LINES:
        pairs += list(zip(indices, indices[1:], strict=False)) + ([(indices[-1], indices[0])] if closed else [])
    return pairs
