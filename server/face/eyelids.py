"""Eyelid detection: finds the borders of the lids on the mesh, as the edges of a hole in the depth image of the eye.

The landmark networks place the corners of the eyes with an error of 2 to 3 mm. The edge of the opening gives the outer
corners and the borders of the lids to half a millimetre. Closed lids, and lids that are one surface with the eyeball,
show no hole: such eyes must not blink.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..arkit import CHANNELS
from ..numerics import BoolArray, FloatArray, IntArray
from .geometry import bounding_box_centre
from .head import LANDMARK_COUNT
from .raster import View, depth_image
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
MIN_SLIT_AREA = 0.1  # likewise, for the narrow opening of half-closed lids, which must have sharp borders
MIN_SHARE, MAX_SHARE = 0.1, 0.9  # of the way between the corners: the limits of the points on the lids
MAX_CORNER_SHIFT = 0.4  # share of the eye's width by which a corner may be corrected: a big nose hides the inner ones
CANTHUS = 0.1  # share of the eye's width by which the inner corner lies beyond the end of the opening
CLIFF = 0.0008  # metres between pixels of one column: the border of a lid, with the eyeball or nothing behind it
CLEAR = 0.0015  # metres between an eyeball and the skin behind it; less is an eye that is laid on the skin
MIDDLE, REACH = 0.25, 0.9  # of the eye's width and height: columns and rows around its middle that are measured
# Least opening of the lids, in metres and as a share of the opening of the fitted lids. Measured on 8 heads of other
# makers and 4 identities of the head, open, half closed, shut by a blink, and painted on a closed surface. Openings
# that the fit has found: 1.2 to 11.1 mm, 0.56 to 1.10. Eyes without one: 0 to 1.2 mm, 0 to 0.17; there a blink would
# turn 3 to 16 % of the triangles around the eye over.
MIN_OPENING, MIN_OPENING_SHARE = 0.001, 0.35
SIDES = ("right", "left")  # of the eyes in EYE_LANDMARKS
# Channels that move lids, for each of SIDES.
LID_CHANNELS = {
    side: [row for row, channel in enumerate(CHANNELS) if channel.startswith("eye") and channel.endswith(side.title())]
    for side in SIDES
}


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


def shut_eyes(target: TargetMesh, landmarks: FloatArray, eyeballs: BoolArray | None = None) -> list[str]:
    """Find the eyes that do not open: shut at rest, painted on the skin, or one surface with it.

    The lids of such eyes have no border that could move. A blink would tear the skin.

    Args:
        target: The mesh, in the head's frame.
        landmarks: The 68 landmarks of the head that was fitted to it (68, 3), metres.
        eyeballs: Triangles of pieces that are eyes (T,); none by default.

    Returns:
        Those of SIDES whose eye does not open.
    """
    shut = []
    for side, eye in zip(SIDES, EYE_LANDMARKS, strict=True):
        opening, fitted = lid_openings(target, landmarks[eye], eyeballs)
        if opening < max(MIN_OPENING, MIN_OPENING_SHARE * fitted):
            shut.append(side)
    return shut


def keep_lids(basis: FloatArray, vertices: IntArray, sides: Iterable[str]) -> None:
    """Let the channels that move the lids of some eyes leave vertices where they are.

    Args:
        basis: Offsets (52, V, 3). Changed in place.
        vertices: The skin and what follows it (N,).
        sides: Of SIDES, from `shut_eyes`.
    """
    for side in sides:
        basis[np.ix_(np.array(LID_CHANNELS[side]), vertices)] = 0


def lid_openings(target: TargetMesh, landmarks: FloatArray, eyeballs: BoolArray | None = None) -> tuple[float, float]:
    """Return how far the lids are open in the middle of an eye: on the mesh, and between the landmarks (6, 3); metres.

    Seen from the front, each column of pixels goes down over a cliff at the border of the upper lid, and up at that of
    the lower one. What lies between is open, and so is what shows an eyeball that stands clear of the skin behind it:
    lids may go over into their socket without a border.
    """
    width, height = np.ptp(landmarks[:, [0, 2]], axis=0)
    if width <= 0:
        return 0.0, float(height)
    eye = _EyeView.render(target, landmarks)
    middle = np.abs(eye.x - eye.centre[0]) < MIDDLE * width
    is_open = eye.open_pixels()
    if eyeballs is not None and eyeballs.any():
        is_open |= eye.shows(target, eyeballs)
    return float(np.median(is_open[:, middle].sum(0)) * eye.pixel), float(height)


@dataclass(frozen=True)
class _EyeView:
    """The skin around an eye, seen from the front.

    Attributes:
        view: The rendered image, P × P pixels.
        depth: Its depth (P, P), metres; far away where there is no surface.
        x, z: Coordinates of the pixels' columns and rows (P,), metres.
        pixel: Size of a pixel, metres.
        centre: x and z of the image's centre (2,), metres.
        height: Height of the eye by its landmarks, not less than MIN_HEIGHT of its width, metres.
    """

    view: View
    depth: FloatArray
    x: FloatArray
    z: FloatArray
    pixel: float
    centre: FloatArray
    height: float

    @classmethod
    def render(cls, target: TargetMesh, landmarks: FloatArray) -> "_EyeView":
        """Render the skin around landmarks (6, 3) of an eye, which are not all at one place."""
        flat = landmarks[:, [0, 2]]
        width, height = np.ptp(flat, axis=0)
        centre, size = bounding_box_centre(flat), VIEW_SIZE * width
        view = depth_image(target.vertices, target.triangles[target.skin], centre, size, PIXELS)
        far = np.nanmax(view.depth) + size if view.filled.any() else 0.0
        pixel = size / PIXELS
        return cls(
            view,
            np.where(view.filled, view.depth, far),
            centre[0] + (np.arange(PIXELS) + 0.5) * pixel - size / 2,
            centre[1] - (np.arange(PIXELS) + 0.5) * pixel + size / 2,
            pixel,
            centre,
            max(height, MIN_HEIGHT * width),
        )

    def shows(self, target: TargetMesh, triangles: BoolArray) -> BoolArray:
        """Return the pixels (P, P) in which some triangles (T,) of the mesh stand clear of the skin behind them."""
        view = depth_image(target.vertices, target.triangles[triangles], self.centre, self.view.size, PIXELS)
        near = np.abs(self.z - self.centre[1]) < REACH * self.height
        is_clear: BoolArray = near[:, None] & (np.where(view.filled, view.depth, np.inf) < self.depth - CLEAR)
        return is_clear

    def open_pixels(self) -> BoolArray:
        """Return the pixels (P, P) between a cliff down and a cliff up of their column, around the eye."""
        step = np.zeros_like(self.depth)
        step[1:] = np.diff(self.depth, axis=0)
        last_cliff = np.maximum.accumulate(np.where(np.abs(step) > CLIFF, np.arange(PIXELS)[:, None], 0), axis=0)
        is_down = np.take_along_axis(step, last_cliff, 0) > 0
        rises_later = np.logical_or.accumulate(step[::-1] < -CLIFF, axis=0)[::-1]
        near = np.abs(self.z - self.centre[1]) < REACH * self.height
        is_open: BoolArray = is_down & rises_later & near[:, None]
        return is_open


def _lid_borders(target: TargetMesh, landmarks: FloatArray, inner: int) -> FloatArray | None:
    """Return corners and lid points (6, 3) of one eye, None if no opening shows; `inner` is the inner corner."""
    flat = landmarks[:, [0, 2]]
    width = float(np.ptp(flat[:, 0]))
    if width <= 0:  # an artist placed both corners at one point
        return None
    eye = _EyeView.render(target, landmarks)
    if eye.view.filled.mean() < MIN_FILLED:
        return None
    holes = _holes(eye.depth, int((HOLE_HEIGHTS * eye.height + HOLE_WIDTHS * width) / eye.pixel) | 1)
    from_centre = (eye.x - eye.centre[0]) / width, (eye.z[:, None] - eye.centre[1]) / eye.height
    ellipse = from_centre[0] ** 2 + from_centre[1] ** 2 < 0.25
    hole = _eye_hole(holes, ellipse, MIN_HOLE_AREA)
    if hole is None:
        hole = _eye_hole(eye.open_pixels(), ellipse, MIN_SLIT_AREA)
    if hole is None:
        return None
    places = _border_points(hole, flat, eye.x, eye.z, eye.pixel, width, inner)
    if places is None:
        return None
    return _lift(eye.view, eye.depth, places)


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


def _eye_hole(holes: BoolArray, ellipse: BoolArray, min_area: float) -> BoolArray | None:
    """Return the connected hole (P, P) that covers most of the ellipse, None if its area is not that of an eye."""
    label, _ = ndimage.label(holes)
    cover = np.bincount(label[ellipse], minlength=2)
    cover[0] = 0
    hole: BoolArray = label == cover.argmax()
    if not min_area * ellipse.sum() < cover.max() <= hole.sum() < MAX_HOLE_AREA * ellipse.sum():
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
