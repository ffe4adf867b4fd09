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
    face = np.cross(vertices[triangles[:, 1]] - vertices[triangles[:, 0]],
                    vertices[triangles[:, 2]] - vertices[triangles[:, 0]])
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


def render(vertices, triangles, normals, centre, size, pixels) -> View:
    """vertices (V, 3), triangles (T, 3), normals (V, 3), square of side `size` about x, z `centre`."""
    scale = pixels / size
    column = (vertices[:, 0] - centre[0]) * scale + pixels / 2
    row = pixels / 2 - (vertices[:, 2] - centre[1]) * scale
    corners = np.stack([column, row], axis=1)[triangles]  # (T, 3, 2)
    cell, owner, weight = _cover(corners, pixels)
    near = (vertices[:, 1][triangles[owner]] * weight).sum(1)
    triangle = np.full(pixels * pixels, -1)
    depth = np.full(pixels * pixels, np.nan)
    normal = np.zeros((pixels * pixels, 3))
    order = np.lexsort((near, cell))
    first = order[np.diff(cell[order], prepend=-1) > 0]
    cell, owner, weight = cell[first], owner[first], weight[first]
    triangle[cell], depth[cell] = owner, near[first]
    mixed = (normals[triangles[owner]] * weight[:, :, None]).sum(1)
    mixed *= np.where(mixed[:, 1:2] > 0, -1, 1)
    normal[cell] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-20)
    shape = (pixels, pixels)
    return View(triangle.reshape(shape), depth.reshape(shape), normal.reshape(*shape, 3), np.asarray(centre), size)


def _cover(corners, pixels):
    """Every pixel whose centre lies in a triangle: cell (N,), triangle (N,), barycentric weights (N, 3).

    Scan lines: each triangle gives its rows, each row the span between its crossings with the edges.
    """
    top = np.ceil(corners[:, :, 1].min(1) - 0.5).clip(0, pixels).astype(int)
    bottom = np.floor(corners[:, :, 1].max(1) - 0.5).clip(-1, pixels - 1).astype(int)
    owner, line = _spread(top, bottom)
    y = line + 0.5
    left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
    for k in range(3):
        (ax, ay), (bx, by) = corners[owner, k].T, corners[owner, (k + 1) % 3].T
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (y - ay) / (by - ay)
            x = ax + share * (bx - ax)
        crosses = (share >= 0) & (share <= 1)
        left, right = np.where(crosses, np.minimum(left, x), left), np.where(crosses, np.maximum(right, x), right)
    start = np.ceil(left - 0.5).clip(0, pixels).astype(int)
    end = np.floor(right - 0.5).clip(-1, pixels - 1).astype(int)
    span, column = _spread(start, end)
    owner, line = owner[span], line[span]
    point = np.column_stack([column, line]) + 0.5
    a, b, c = corners[owner].transpose(1, 0, 2)
    area = _cross(b - a, c - a)
    solid = np.abs(area) > 1e-12
    owner, line, column, area = owner[solid], line[solid], column[solid], area[solid]
    a, b, c, point = a[solid], b[solid], c[solid], point[solid]
    weight = np.stack([_cross(c - b, point - b), _cross(a - c, point - c), _cross(b - a, point - a)], -1)
    return line * pixels + column, owner, weight / area[:, None]


def _spread(first, last):
    """For ranges first..last (inclusive, maybe empty): which range (N,), and each whole number in it (N,)."""
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
