"""Eyes of a character: recognises balls, half spheres and caps where an eye is, finds their centre and turns them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ..numerics import FloatArray, IntArray
from .geometry import blend_corners, bounding_box_centre, fit_similarity, sample_surface
from .head import SEAMS, Head, HeadPart

# A sphere through the surface of a piece.
FIT_ROUNDS = 20  # of reweighting: a bulging cornea, or a disc that closes a half sphere, counts less in each
FIT_TOLERANCE = 2.5  # times the median distance from the sphere: parts of the surface farther away hardly count
SAMPLE_SPACING = 0.0012  # metres between the points of a piece that are measured
ROUND = 0.12  # of the radius: median distance from the sphere of what counts as round
# An eye, as shares of the radius of the fitted head's own eyeball. These find all of 768 caps on 6 fitted heads: 0.7 to
# 2 times the head's radius, 0.2 to 1.5 radii deep, with a cornea or a disc behind, at their place and 3 mm beside it.
MAX_OFFSET, MIN_SIZE, MAX_SIZE, MIN_HEIGHT = 0.9, 0.25, 2.2, 0.5  # offset of its centre, half its extent, least height
MIN_RADIUS, MAX_RADIUS = 0.4, 3.0
MAX_APEX_GAP = 0.6  # between its sphere and the front of the head's own eyeball
MIN_FORWARD = 0.5  # cosine between the way forward, and from the centre of its sphere to the opening of the lids
MAX_BEFORE, MAX_BEHIND = 0.5, 1.0  # how far what shows between the lids may lie before or behind their borders
MIN_COVER = 0.6  # of the middle of the opening that it fills, seen from the front
COVER_DISTANCE = 0.0018  # metres: a point of the opening this near to a point of the piece is covered
OPENING_SHARES = (0.0, 0.2, 0.4)  # of the way from the middle of the opening to its border
FULL_DEPTH = 1.2  # of the radius: a cap that is deeper is certainly no lash and no brow
MIN_LOOK = 1e-6  # metres: channels that move an eyeball less do not turn it


@dataclass(frozen=True)
class Sphere:
    """A sphere through a surface.

    Attributes:
        centre: Its centre (3,).
        radius: Its radius.
        deviation: Median distance of the surface from it, as a share of the radius.
    """

    centre: FloatArray
    radius: float
    deviation: float


def fit_sphere(points: FloatArray, weight: FloatArray) -> Sphere:
    """Return the sphere through most of a surface, by reweighted algebraic least squares.

    Args:
        points: Points of the surface (N, 3).
        weight: Area that each stands for (N,).
    """
    middle = weight @ points / weight.sum()
    scale = max(float(np.ptp(points, axis=0).max()), 1e-12)
    unit = (points - middle) / scale
    design, squared = np.column_stack([2 * unit, np.ones(len(unit))]), (unit**2).sum(1)
    robust, centre, radius, error = weight, np.zeros(3), 1.0, np.zeros(len(unit))
    for _ in range(FIT_ROUNDS):
        weighted = design * (robust / robust.sum())[:, None]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ squared, rcond=None)[0]
        centre, radius = solution[:3], float(np.sqrt(max(solution[3] + solution[:3] @ solution[:3], 1e-12)))
        error = np.abs(np.linalg.norm(unit - centre, axis=1) - radius)
        tolerance = FIT_TOLERANCE * max(_weighted_median(error, weight), 1e-3 * radius)
        robust = weight / (1 + (error / tolerance) ** 2) ** 2
    return Sphere(middle + scale * centre, scale * radius, _weighted_median(error, weight) / radius)


def _weighted_median(values: FloatArray, weight: FloatArray) -> float:
    """Return the median of values (N,) with weights (N,)."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])


@dataclass(frozen=True)
class Piece:
    """A connected piece of a mesh.

    Attributes:
        vertices: Its vertices (N, 3), metres, in the head's frame.
        triangles: Its triangles (T, 3).
    """

    vertices: FloatArray
    triangles: IntArray

    @cached_property
    def sphere(self) -> Sphere:
        """The sphere through most of it."""
        corners = self.vertices[self.triangles]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        weight = np.bincount(self.triangles.ravel(), np.repeat(area, 3), len(self.vertices))
        return fit_sphere(self.vertices, weight + 1e-9 * weight.max() + 1e-15)

    @cached_property
    def samples(self) -> FloatArray:
        """Points (M, 3) all over it."""
        owner, weight = sample_surface(self.vertices, self.triangles, SAMPLE_SPACING)
        return blend_corners(self.vertices, self.triangles[owner], weight)

    @property
    def extent(self) -> FloatArray:
        """Size (3,) of its bounding box."""
        extent: FloatArray = np.ptp(self.vertices, axis=0)
        return extent


@dataclass(frozen=True)
class Eye:
    """Where an eye of the fitted head is. Metres, in the head's frame.

    Attributes:
        middle: Centre (3,) of the head's own eyeball.
        radius: Its radius.
        lids: The borders of the lids (N, 3).
    """

    middle: FloatArray
    radius: float
    lids: FloatArray

    @classmethod
    def of(cls, head: Head, fitted: FloatArray, part: HeadPart) -> "Eye":
        """Return the place of an eye of the canonical head, whose vertices (H, 3) are fitted to a mesh."""
        ball = fitted[head.part == part]
        side = "left" if part == HeadPart.EYE_LEFT else "right"
        borders = sum(1 << bit for bit, name in enumerate(SEAMS) if name.endswith(f"lid_{side}"))
        return cls(bounding_box_centre(ball), float(np.ptp(ball, axis=0).mean() / 2), fitted[(head.seam & borders) > 0])

    @property
    def opening(self) -> FloatArray:
        """The middle of the opening of the lids (3,)."""
        return bounding_box_centre(self.lids)

    def holds(self, members: FloatArray) -> bool:
        """Return whether the vertices (N, 3) of a piece have the size of an eye, and lie near enough to be this one."""
        gap = np.linalg.norm(bounding_box_centre(members) - self.middle)
        sized = MIN_SIZE * self.radius < np.ptp(members, axis=0).max() / 2 < MAX_SIZE * self.radius
        return bool(sized and gap < MAX_SIZE * self.radius)

    def is_ball(self, piece: Piece) -> bool:
        """Return whether a piece is a ball, or a part of one, at the place of the eye."""
        gap = np.linalg.norm(bounding_box_centre(piece.vertices) - self.middle)
        high = piece.extent[2] > MIN_HEIGHT * self.radius
        return bool(high and gap < MAX_OFFSET * self.radius and self.fits(piece.sphere))

    def fits(self, sphere: Sphere) -> bool:
        """Return whether a sphere may be that of the eye: its front is where the front of the head's eyeball is."""
        if sphere.deviation > ROUND or not MIN_RADIUS * self.radius < sphere.radius < MAX_RADIUS * self.radius:
            return False
        front = self.middle - np.array((0, self.radius, 0))
        gap = abs(np.linalg.norm(front - sphere.centre) - sphere.radius)
        backward = sphere.centre - self.opening
        return bool(gap < MAX_APEX_GAP * self.radius and backward[1] > MIN_FORWARD * np.linalg.norm(backward))

    def shows(self, piece: Piece) -> bool:
        """Return whether a piece is what shows between the lids: it fills the middle of the opening, behind them."""
        spots = np.concatenate([self.opening + share * (self.lids - self.opening) for share in OPENING_SHARES])
        covering = cKDTree(piece.samples[:, [0, 2]]).query_ball_point(spots[:, [0, 2]], COVER_DISTANCE)
        fronts = [piece.samples[near, 1].min() for near in covering if near]
        if len(fronts) < MIN_COVER * len(spots):
            return False
        behind = np.median(fronts) - self.lids[:, 1].mean()
        return bool(-MAX_BEFORE * self.radius < behind < MAX_BEHIND * self.radius)

    def pivot(self, pieces: list[Piece]) -> FloatArray:
        """Return the point (3,) about which all pieces of the eye (ball, iris, cornea) turn.

        It is the centre of the thickest piece, found from the part of a sphere that it has, else of the head's eyeball.
        """
        thickest = max(pieces, key=lambda piece: float(piece.extent.min()))
        is_cap = len(thickest.triangles) > 0 and self.fits(thickest.sphere)
        return thickest.sphere.centre if is_cap else self.middle


def rotate(head: Head, own: IntArray, points: FloatArray, pivot: FloatArray) -> FloatArray:
    """Return offsets (52, N, 3) of points (N, 3): the head's own eye, vertices `own`, turned about `pivot`."""
    ball, offsets = head.vertices[own], np.zeros((len(head.basis), len(points), 3))
    for channel in np.flatnonzero(np.abs(head.basis[:, own]).max((1, 2)) > MIN_LOOK):
        rotation = fit_similarity(ball, ball + head.basis[channel, own]).rotation
        offsets[channel] = (points - pivot) @ rotation.T - (points - pivot)
    return offsets
