"""Orthographic z-buffer of a mesh seen from the front (from -Y), in numpy: what the landmark networks look at."""

from dataclasses import dataclass

import numpy as np


@dataclass
class View:
    """P x P pixels; row 0 is the top (+Z), column 0 the character's right (-X); empty pixels have triangle -1."""

    triangle: np.ndarray  # (P, P) index of the nearest triangle
    depth: np.ndarray  # (P, P) its y, nan where empty
    normal: np.ndarray  # (P, P, 3) turned towards the viewer, 0 where empty
    centre: np.ndarray  # (2,) x and z of the middle of the image
    size: float  # of the image's side, in mesh units

    def to_pixels(self, xz: np.ndarray) -> np.ndarray:
        """x, z in mesh units to column, row with pixel centres at .5."""
        pixels = self.triangle.shape[0]
        u = (xz[..., 0] - self.centre[0]) / self.size + 0.5
        w = 0.5 - (xz[..., 1] - self.centre[1]) / self.size
        return np.stack([u, w], axis=-1) * pixels


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, weighted by area; zero for vertices without a triangle."""
    face = np.cross(
        vertices[triangles[:, 1]] - vertices[triangles[:, 0]], vertices[triangles[:, 2]] - vertices[triangles[:, 0]]
    )
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


def render(vertices, triangles, normals, centre, size, pixels) -> View:
    """Vertices (V, 3), triangles (T, 3), normals (V, 3), square of side `size` about x, z `centre`."""
    scale = pixels / size
    corners = triangles.T
    columns = ((vertices[:, 0] - centre[0]) * scale + pixels / 2)[corners]
    rows = (pixels / 2 - (vertices[:, 2] - centre[1]) * scale)[corners]
    weights, solid = _weights(columns, rows)
    line, column, owner = _cover(rows, weights, solid, pixels)
    at = column + 0.5, line + 0.5
    flat = [(w * vertices[:, 1][corners]).sum(0) for w in weights]  # depth is linear in column and row as well
    near = flat[0][owner] * at[0] + flat[1][owner] * at[1] + flat[2][owner]
    back_to_front = np.argsort(-near)
    seen = np.full(pixels * pixels, -1)
    seen[(line * pixels + column)[back_to_front]] = back_to_front  # what is assigned last stays
    cell = np.flatnonzero(seen >= 0)
    first = seen[cell]
    owner, at = owner[first], (at[0][first], at[1][first])
    triangle = np.full(pixels * pixels, -1)
    depth = np.full(pixels * pixels, np.nan)
    normal = np.zeros((pixels * pixels, 3))
    triangle[cell], depth[cell] = owner, near[first]
    mixed = 0
    for k in range(3):
        weight = weights[0][k, owner] * at[0] + weights[1][k, owner] * at[1] + weights[2][k, owner]
        mixed = mixed + weight[:, None] * normals[corners[k, owner]]
    mixed *= np.where(mixed[:, 1:2] > 0, -1, 1)
    normal[cell] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-20)
    shape = (pixels, pixels)
    return View(triangle.reshape(shape), depth.reshape(shape), normal.reshape(*shape, 3), np.asarray(centre), size)


def boxes(vertices, triangles):
    """Lowest and highest x, z of each triangle: two pairs of arrays (T,)."""
    corners = [[vertices[triangles[:, k], axis] for k in range(3)] for axis in (0, 2)]
    return (
        [np.minimum(np.minimum(a, b), c) for a, b, c in corners],
        [np.maximum(np.maximum(a, b), c) for a, b, c in corners],
    )


def may_show(low, high, centre, size, pixels):
    """(T,) bool: the boxes in which the centre of a pixel lies; of a dense mesh most triangles fall between them."""
    show = True
    for axis in (0, 1):
        first = np.ceil((low[axis] - (centre[axis] - size / 2)) * (pixels / size) - 0.5)
        last = np.floor((high[axis] - (centre[axis] - size / 2)) * (pixels / size) - 0.5)
        show = show & (first <= last) & (first < pixels) & (last >= 0)
    return show


def _weights(x, y):
    """The barycentric weights of triangles with corners x, y (3, T) as a * x + b * y + c: a, b and c (3, T), and which
    triangles are solid (T,).
    """
    after, last = [1, 2, 0], [2, 0, 1]
    px, py, qx, qy = x[after], y[after], x[last], y[last]
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    solid = np.abs(area) > 1e-12
    share = 1 / np.where(solid, area, 1)
    return ((py - qy) * share, (qx - px) * share, (px * qy - py * qx) * share), solid


def _cover(rows, weights, solid, pixels):
    """Every pixel whose centre lies in a triangle: row (N,), column (N,), triangle (N,). rows (3, T) of the corners.

    Scan lines: each triangle gives its rows, each row the span in which no weight is negative.
    """
    top = np.ceil(rows.min(0) - 0.5).clip(0, pixels).astype(int)
    bottom = np.floor(rows.max(0) - 0.5).clip(-1, pixels - 1).astype(int)
    owner, line = _spread(top, np.where(solid, bottom, -1))
    left, right = np.full(len(line), -np.inf), np.full(len(line), np.inf)
    for a, b, c in zip(*weights, strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            border = (-b / a)[owner] * (line + 0.5) + (-c / a)[owner]
        rising = a[owner]
        left = np.where(rising > 0, np.maximum(left, border), left)
        right = np.where(rising < 0, np.minimum(right, border), right)
    start = np.ceil(left - 0.5).clip(0, pixels).astype(int)
    end = np.floor(right - 0.5).clip(-1, pixels - 1).astype(int)
    span, column = _spread(start, end)
    return line[span], column, owner[span]


def _spread(first, last):
    """For ranges first..last (inclusive, maybe empty): which range (N,), and each whole number in it (N,)."""
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]
