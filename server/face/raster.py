"""Orthographic z-buffer in numpy: renders a mesh from the front (from −Y) as input for the landmark networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..numerics import BoolArray, FloatArray, IntArray, lengths

MIN_DOUBLE_AREA = 1e-12  # square pixels; a smaller triangle covers no pixel
# Layers of triangles over the whole image that are drawn at most, the foremost first. Heads have 2 to 4; triangles at
# random may have thousands, and would take minutes.
MAX_LAYERS = 16
TRIANGLE_WORK = 3.0  # of any triangle, however small, in pixels that take as long to draw
EdgeFunctions: TypeAlias = list[tuple[FloatArray, FloatArray, FloatArray]]  # a, b, c (T,) of each of three edges


@dataclass
class View:
    """A rendered image of P × P pixels. Row 0 is the top (+Z), column 0 the character's right (−X).

    Attributes:
        triangle: Index of the nearest triangle (P, P), -1 where there is none.
        depth: Its y coordinate (P, P), NaN where there is none.
        normal: Unit normal towards the viewer (P, P, 3), 0 where there is none.
        centre: x and z of the image's centre (2,).
        size: Side of the image, in mesh units.
        work: What it took to draw the image, in pixels.
    """

    triangle: IntArray
    depth: FloatArray
    normal: FloatArray
    centre: FloatArray
    size: float
    work: float

    @property
    def filled(self) -> BoolArray:
        """The pixels (P, P) that show a surface."""
        return self.triangle >= 0

    def to_pixels(self, xz: FloatArray) -> FloatArray:
        """Convert x, z (..., 2) in mesh units to column, row (..., 2); pixel centres lie at .5."""
        pixels = self.triangle.shape[0]
        u = (xz[..., 0] - self.centre[0]) / self.size + 0.5
        w = 0.5 - (xz[..., 1] - self.centre[1]) / self.size
        image: FloatArray = np.stack([u, w], axis=-1) * pixels
        return image


def render(
    vertices: FloatArray, triangles: IntArray, normals: FloatArray | None, centre: FloatArray, size: float, pixels: int
) -> View:
    """Render a mesh from −Y.

    The work is bounded: of a mesh with more than MAX_LAYERS layers of triangles, the foremost triangles are drawn.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).
        normals: Vertex normals (V, 3); None: the depth alone is wanted, and View.normal is 0.
        centre: x and z of the image's centre (2,).
        size: Side of the image, in mesh units.
        pixels: Side of the image, in pixels.
    """
    scale = pixels / size
    corners = np.ascontiguousarray(triangles.T)  # each step goes through all first corners, then the second ones
    columns = ((vertices[:, 0] - centre[0]) * scale + pixels / 2)[corners]
    rows = (pixels / 2 - (vertices[:, 2] - centre[1]) * scale)[corners]
    weights, solid = _edge_functions(columns, rows)
    depth_of_corners = np.ascontiguousarray(vertices[:, 1])[corners]
    drawn, work = _foremost(columns, rows, depth_of_corners, pixels)
    solid &= drawn
    row, column, owner = _covered_pixels(rows, weights, solid, pixels)
    x, y = column + 0.5, row + 0.5
    # Depth is linear in column and row, as the barycentric weights are.
    depth_a, depth_b, depth_c = (
        (w[0] * depth_of_corners[0] + w[1] * depth_of_corners[1]) + w[2] * depth_of_corners[2]
        for w in zip(*weights, strict=True)
    )
    depths = depth_a[owner] * x + depth_b[owner] * y + depth_c[owner]
    cells = row * pixels + column
    least = np.full(pixels * pixels, np.inf)
    np.minimum.at(least, cells, depths)
    shown = np.flatnonzero(depths == least[cells])
    nearest = np.full(pixels * pixels, -1)
    nearest[cells[shown]] = shown  # of several at one depth, the last
    cell = np.flatnonzero(nearest >= 0)
    shown = nearest[cell]
    owner = owner[shown]
    triangle = np.full(pixels * pixels, -1)
    depth = np.full(pixels * pixels, np.nan)
    normal = np.zeros((pixels * pixels, 3))
    triangle[cell], depth[cell] = owner, depths[shown]
    if normals is not None:
        x, y, mixed = x[shown], y[shown], np.zeros((len(owner), 3))
        for (a, b, c), corner in zip(weights, corners, strict=True):
            weight = a[owner] * x + b[owner] * y + c[owner]
            mixed += weight[:, None] * np.take(normals, corner[owner], 0)
        mixed *= np.where(mixed[:, 1:2] > 0, -1, 1)
        normal[cell] = mixed / np.maximum(lengths(mixed), 1e-20)[:, None]
    shape = (pixels, pixels)
    return View(
        triangle.reshape(shape), depth.reshape(shape), normal.reshape(*shape, 3), np.asarray(centre), size, work
    )


def depth_image(vertices: FloatArray, triangles: IntArray, centre: FloatArray, size: float, pixels: int) -> View:
    """Render the depth of a mesh; arguments as in `render`. View.triangle counts the triangles near the image alone."""
    shown = may_cover_pixel(*triangle_bounds(vertices, triangles), centre, size, pixels)
    return render(vertices, triangles[shown], None, centre, size, pixels)


def _foremost(columns: FloatArray, rows: FloatArray, depths: FloatArray, pixels: int) -> tuple[BoolArray, float]:
    """Return which triangles (T,) to draw, all or the foremost that fill MAX_LAYERS layers, and their work in pixels.

    Args:
        columns: Columns of the corners (3, T).
        rows: Their rows (3, T).
        depths: Their depths (3, T).
        pixels: Side of the image.
    """
    width, height = (np.ptp(at.clip(0, pixels), axis=0) for at in (columns, rows))
    area = np.abs((columns[1] - columns[0]) * (rows[2] - rows[0]) - (rows[1] - rows[0]) * (columns[2] - columns[0])) / 2
    work = np.minimum(area, width * height) + height  # pixels, and rows that are looked through for them
    limit = MAX_LAYERS * pixels * pixels
    total, every = float(work.sum()), TRIANGLE_WORK * len(work)
    if not total > limit:
        return np.ones(len(work), dtype=bool), total + every
    order = np.argsort(depths.min(0), kind="stable")
    drawn = np.zeros(len(work), dtype=bool)
    drawn[order[np.cumsum(work[order]) <= limit]] = True
    return drawn, limit + every


def triangle_bounds(vertices: FloatArray, triangles: IntArray) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the bounding boxes of triangles (T, 3) in the image plane.

    Returns:
        The lowest x and z, then the highest x and z: two pairs of arrays (T,).
    """
    ends, places = np.ascontiguousarray(triangles.T), np.ascontiguousarray(vertices.T)
    corners = [[places[axis][end] for end in ends] for axis in (0, 2)]
    return (
        [np.minimum(np.minimum(a, b), c) for a, b, c in corners],
        [np.maximum(np.maximum(a, b), c) for a, b, c in corners],
    )


def may_cover_pixel(
    low: Sequence[FloatArray], high: Sequence[FloatArray], centre: FloatArray, size: float, pixels: int
) -> BoolArray:
    """Return which bounding boxes contain the centre of a pixel.

    Most triangles of a dense mesh lie between pixel centres, and need not be rendered.

    Args:
        low: Lowest x and z of each triangle, from triangle_bounds.
        high: Highest x and z of each triangle.
        centre: x and z of the image's centre (2,).
        size: Side of the image, in mesh units.
        pixels: Side of the image, in pixels.

    Returns:
        (T,), a superset of the triangles that the image shows.
    """
    visible = np.ones(len(low[0]), dtype=bool)
    for axis in (0, 1):
        first = np.ceil((low[axis] - (centre[axis] - size / 2)) * (pixels / size) - 0.5)
        last = np.floor((high[axis] - (centre[axis] - size / 2)) * (pixels / size) - 0.5)
        visible = visible & (first <= last) & (first < pixels) & (last >= 0)
    return visible


def _edge_functions(x: FloatArray, y: FloatArray) -> tuple[EdgeFunctions, BoolArray]:
    """Return the barycentric weights a·x + b·y + c of triangles with corners x, y (3, T), and which are solid (T,)."""
    double_area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    solid = np.abs(double_area) > MIN_DOUBLE_AREA
    factor = 1 / np.where(solid, double_area, 1)
    return [
        ((y[p] - y[q]) * factor, (x[q] - x[p]) * factor, (x[p] * y[q] - y[p] * x[q]) * factor)
        for p, q in ((1, 2), (2, 0), (0, 1))
    ], solid


def _covered_pixels(
    rows: FloatArray, weights: EdgeFunctions, solid: BoolArray, pixels: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return row, column and triangle (N,) of each pixel whose centre lies in a triangle; rows (3, T) of the corners.

    Scan conversion: each triangle covers some rows, and each of them in the span where no weight is negative.
    """
    top = np.ceil(rows.min(0) - 0.5).clip(0, pixels).astype(int)
    bottom = np.floor(rows.max(0) - 0.5).clip(-1, pixels - 1).astype(int)
    owner, row = _expand_ranges(top, np.where(solid, bottom, -1))
    left, right, y = np.full(len(row), -np.inf), np.full(len(row), np.inf), row + 0.5
    for a, b, c in weights:
        with np.errstate(divide="ignore", invalid="ignore"):
            border = (-b / a)[owner]
            border *= y
            border += (-c / a)[owner]
        np.maximum(left, border, out=left, where=(a > 0)[owner])
        np.minimum(right, border, out=right, where=(a < 0)[owner])
    left, right = np.ceil(left - 0.5), np.floor(right - 0.5)
    start, end = left.clip(0, pixels, out=left).astype(int), right.clip(-1, pixels - 1, out=right).astype(int)
    span, column = _expand_ranges(start, end)
    return row[span], column, owner[span]


def _expand_ranges(first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Return the range index and the value (N,) of every whole number in inclusive, maybe empty ranges first … last."""
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]
