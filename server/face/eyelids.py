"""Where the lids part, seen on the mesh itself: from the front the eye's opening is a hole with sharp edges.

The landmark networks see the corners of the eyes to 2 or 3 mm; the edge of the opening tells the outer ones, and the
borders of the lids, to half a millimetre. Lids that are closed, or eyes that are one surface with them, show no hole.
"""

import numpy as np
from scipy import ndimage

from .raster import render

EYES = (np.arange(36, 42), np.arange(42, 48))  # each from its corner at -X: corner, two above, corner, two below
PIXELS, VIEW = 200, 1.9  # of the picture; its side over the eye's width
JUMP, DEEP = 0.0012, 0.001  # metres: depth between neighbouring pixels at an edge, and behind the lids around
LEAST_HEIGHT = 0.35  # of an opening over its width, for what follows: networks see narrow eyes where meshes are coarse
LEAST_COVER, MOST_COVER = 0.25, 1.6  # area of a hole over that of an ellipse through the landmarks
FARTHEST = 0.25  # share of the eye's width by which a corner may be corrected
CANTHUS = 0.1  # share of the eye's width by which the inner corner lies beyond the end of the opening


def see_lids(target, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(68, 3) landmarks in the head's frame with those of the lids on their borders, and which were seen (68,)."""
    marks, seen = marks.copy(), np.zeros(68, dtype=bool)
    for eye, inner in zip(EYES, (3, 0), strict=True):
        points = _borders(target, marks[eye], inner)
        if points is not None:
            marks[eye], seen[eye] = points, True
    return marks, seen


def _borders(target, marks, inner):
    """(6, 3) corners and borders of one opening, None if there is none; `inner` is the index of the inner corner."""
    flat = marks[:, [0, 2]]
    width, height = np.ptp(flat, axis=0)
    height = max(height, LEAST_HEIGHT * width)
    centre, size = (flat.min(0) + flat.max(0)) / 2, VIEW * width
    view = render(target.vertices, target.triangles[target.skin], target.normals, centre, size, PIXELS)
    if (view.triangle >= 0).mean() < 0.3:
        return None
    pixel = size / PIXELS
    depth = np.where(view.triangle >= 0, view.depth, np.nanmax(view.depth) + size)
    hole = _hole(depth, int((1.8 * height + 0.15 * width) / pixel) | 1)
    x = centre[0] + (np.arange(PIXELS) + 0.5) * pixel - size / 2
    z = centre[1] - (np.arange(PIXELS) + 0.5) * pixel + size / 2
    ellipse = ((x - centre[0]) / width) ** 2 + ((z[:, None] - centre[1]) / height) ** 2 < 0.25
    label, _ = ndimage.label(hole)
    cover = np.bincount(label[ellipse], minlength=2)
    cover[0] = 0
    hole = label == cover.argmax()
    if not LEAST_COVER * ellipse.sum() < cover.max() <= hole.sum() < MOST_COVER * ellipse.sum():
        return None
    columns = np.flatnonzero(hole.any(0))
    ends = [np.array([x[c], z[hole[:, c]].mean()]) for c in columns[[0, -1]]]
    corner = inner == 3
    ends[corner] = ends[corner] + CANTHUS * (ends[corner] - ends[1 - corner])
    if max(np.linalg.norm(ends[0] - flat[0]), np.linalg.norm(ends[1] - flat[3])) > FARTHEST * width:
        return None
    places = [ends[0], None, None, ends[1], None, None]
    for k, last in ((1, 0), (2, 0), (4, -1), (5, -1)):  # rows go down: the first one of a column is the upper lid
        share = (flat[k, 0] - flat[0, 0]) / (flat[3, 0] - flat[0, 0])
        c = columns[0] + int(np.clip(share, 0.1, 0.9) * (columns[-1] - columns[0]))
        rows = np.flatnonzero(hole[:, c])
        if not len(rows):
            return None
        places[k] = np.array([x[c], z[rows[last]] + (0.5 if last == 0 else -0.5) * pixel])
    # The depth of the lid is that of the nearest surface around, not of what lies behind.
    front = ndimage.minimum_filter(depth, size=5)
    at = view.to_pixels(np.array(places)).astype(int).clip(0, PIXELS - 1)
    return np.column_stack([np.array(places)[:, 0], front[at[:, 1], at[:, 0]], np.array(places)[:, 1]])


def _hole(depth, tall):
    """(P, P) bool: pixels that lie behind what is above and below them within `tall` pixels, without their edges."""
    hole = depth - ndimage.grey_opening(depth, size=(tall, 1)) > DEEP
    for axis in (0, 1):
        step = np.diff(depth, axis=axis)
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        hole[tuple(before)] &= step < JUMP
        hole[tuple(after)] &= step > -JUMP
    return hole
