"""Eyelid detection: finds the borders of the lids on the mesh, as the edges of a hole in the depth image of the eye.

The landmark networks place the corners of the eyes with an error of 2 to 3 mm. The edge of the opening gives the outer
corners and the borders of the lids to half a millimetre. Closed lids, and lids that are one surface with the eyeball,
show no hole.
"""

import numpy as np
from scipy import ndimage

from ..numerics import BoolArray, FloatArray
from .geometry import bounding_box_centre
from .head import LANDMARK_COUNT
from .raster import View, render
from .target_mesh import TargetMesh

# Landmarks of each eye from its corner at −X: corner, two on the upper lid, corner, two on the lower lid.
EYE_LANDMARKS = (np.arange(36, 42), np.arange(42, 48))
INNER_CORNERS = (3, 0)  # positions of the inner corner (canthus) within EYE_LANDMARKS
PIXELS = 200  # side P of the depth image
VIEW_SIZE = 1.9  # side of the image over the eye's width
MIN_FILLED = 0.3  # share of the image that must show a surface
MAX_DEPTH_STEP = 0.0012  # metres between neighbouring pixels; a larger step is an edge
MIN_HOLE_DEPTH = 0.001  # metres behind the surrounding lids
MIN_HEIGHT = 0.35  # of an opening over its width: the networks detect eyes on coarse meshes as too narrow
# Greatest height of a hole: the sum of these multiples of the height and the width of the eye's landmarks.
HOLE_HEIGHTS, HOLE_WIDTHS = 1.8, 0.15
MIN_HOLE_AREA, MAX_HOLE_AREA = 0.25, 1.6  # over that of an ellipse through the landmarks
MIN_SHARE, MAX_SHARE = 0.1, 0.9  # of the way between the corners: the limits of the points on the lids
MAX_CORNER_SHIFT = 0.25  # share of the eye's width by which a corner may be corrected
CANTHUS = 0.1  # share of the eye's width by which the inner corner lies beyond the end of the opening


def detect_eyelids(target: TargetMesh, landmarks: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Move the landmarks of the eyes to the borders of the lids where the mesh shows them.

    Args:
        target: The mesh, in the head's frame.
        landmarks: The 68 landmarks (68, 3), metres, in the head's frame.

    Returns:
        Corrected landmarks (68, 3), and which of them were detected (68,).
    """
    landmarks, detected = landmarks.copy(), np.zeros(LANDMARK_COUNT, dtype=bool)
    for eye, inner in zip(EYE_LANDMARKS, INNER_CORNERS, strict=True):
        points = _lid_borders(target, landmarks[eye], inner)
        if points is not None:
            landmarks[eye], detected[eye] = points, True
    return landmarks, detected


def _lid_borders(target: TargetMesh, landmarks: FloatArray, inner: int) -> FloatArray | None:
    """Return corners and lid points (6, 3) of one eye, None if no opening shows; `inner` is the inner corner."""
    flat = landmarks[:, [0, 2]]
    width, height = np.ptp(flat, axis=0)
    if width <= 0:  # an artist placed both corners at one point
        return None
    height = max(height, MIN_HEIGHT * width)
    centre, size = bounding_box_centre(flat), VIEW_SIZE * width
    view = render(target.vertices, target.triangles[target.skin], target.normals, centre, size, PIXELS)
    if view.filled.mean() < MIN_FILLED:
        return None
    depth = np.where(view.filled, view.depth, np.nanmax(view.depth) + size)
    pixel = size / PIXELS
    x = centre[0] + (np.arange(PIXELS) + 0.5) * pixel - size / 2
    z = centre[1] - (np.arange(PIXELS) + 0.5) * pixel + size / 2
    holes = _holes(depth, int((HOLE_HEIGHTS * height + HOLE_WIDTHS * width) / pixel) | 1)
    ellipse = ((x - centre[0]) / width) ** 2 + ((z[:, None] - centre[1]) / height) ** 2 < 0.25
    hole = _eye_hole(holes, ellipse)
    if hole is None:
        return None
    places = _border_points(hole, flat, x, z, pixel, width, inner)
    if places is None:
        return None
    return _lift(view, depth, places)


def _holes(depth: FloatArray, height: int) -> BoolArray:
    """Return the pixels (P, P) of holes that are at most `height` pixels tall, without the edges of these holes.

    A hole lies deeper than the surface above and below it.
    """
    hole: BoolArray = depth - ndimage.grey_opening(depth, size=(height, 1)) > MIN_HOLE_DEPTH
    for axis in (0, 1):
        step = np.diff(depth, axis=axis)
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        hole[tuple(before)] &= step < MAX_DEPTH_STEP
        hole[tuple(after)] &= step > -MAX_DEPTH_STEP
    return hole


def _eye_hole(holes: BoolArray, ellipse: BoolArray) -> BoolArray | None:
    """Return the connected hole (P, P) that covers most of the ellipse, None if its area is not that of an eye."""
    label, _ = ndimage.label(holes)
    cover = np.bincount(label[ellipse], minlength=2)
    cover[0] = 0
    hole: BoolArray = label == cover.argmax()
    if not MIN_HOLE_AREA * ellipse.sum() < cover.max() <= hole.sum() < MAX_HOLE_AREA * ellipse.sum():
        return None
    return hole


def _border_points(
    hole: BoolArray, flat: FloatArray, x: FloatArray, z: FloatArray, pixel: float, width: float, inner: int
) -> FloatArray | None:
    """Return corners and lid points (6, 2) in x, z, None if the corners lie too far from the landmarks `flat` (6, 2).

    x, z (P,) are the coordinates of the pixels' columns and rows, `pixel` their size.
    """
    columns = np.flatnonzero(hole.any(0))
    ends = [np.array([x[c], z[hole[:, c]].mean()]) for c in columns[[0, -1]]]
    inner_end = int(inner == 3)
    ends[inner_end] = ends[inner_end] + CANTHUS * (ends[inner_end] - ends[1 - inner_end])
    if max(np.linalg.norm(ends[0] - flat[0]), np.linalg.norm(ends[1] - flat[3])) > MAX_CORNER_SHIFT * width:
        return None
    places = np.empty((6, 2))
    places[0], places[3] = ends
    for k, last in ((1, 0), (2, 0), (4, -1), (5, -1)):  # rows go down: the first one of a column is the upper lid
        share = (flat[k, 0] - flat[0, 0]) / (flat[3, 0] - flat[0, 0])
        column = columns[0] + int(np.clip(share, MIN_SHARE, MAX_SHARE) * (columns[-1] - columns[0]))
        rows = np.flatnonzero(hole[:, column])
        if not len(rows):
            return None
        places[k] = x[column], z[rows[last]] + (0.5 if last == 0 else -0.5) * pixel
    return places


def _lift(view: View, depth: FloatArray, places: FloatArray) -> FloatArray:
    """Return points (6, 3) in space: the depth of a lid is that of the nearest surface around, not of the hole."""
    front = ndimage.minimum_filter(depth, size=5)
    at = view.to_pixels(places).astype(int).clip(0, PIXELS - 1)
    return np.column_stack([places[:, 0], front[at[:, 1], at[:, 0]], places[:, 1]])
