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
    low = np.ceil(corners.min(1) - 0.5).astype(int).clip(0, pixels)
    high = np.floor(corners.max(1) - 0.5).astype(int).clip(-1, pixels - 1)
    extent = (high - low).max(1) + 1
    seen = (high >= low).all(1)
    cells, owners, depths, weights = [], [], [], []
    reach = 1
    while seen.any():  # triangles in classes of doubling extent, each class in one array operation
        chosen = np.flatnonzero(seen & (extent <= reach))
        seen[chosen] = False
        batch = max(1, 2_000_000 // reach**2)
        for start in range(0, len(chosen), batch):
            part = _cover(chosen[start : start + batch], corners, low, reach, pixels, vertices[:, 1], triangles)
            for store, array in zip((cells, owners, depths, weights), part, strict=True):
                store.append(array)
        reach *= 2
    triangle = np.full(pixels * pixels, -1)
    depth = np.full(pixels * pixels, np.nan)
    normal = np.zeros((pixels * pixels, 3))
    if cells:
        cell, owner, near, weight = (np.concatenate(a) for a in (cells, owners, depths, weights))
        order = np.lexsort((near, cell))
        first = order[np.diff(cell[order], prepend=-1) > 0]
        cell, owner, weight = cell[first], owner[first], weight[first]
        triangle[cell], depth[cell] = owner, near[first]
        mixed = (normals[triangles[owner]] * weight[:, :, None]).sum(1)
        mixed *= np.where(mixed[:, 1:2] > 0, -1, 1)
        normal[cell] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-20)
    shape = (pixels, pixels)
    return View(triangle.reshape(shape), depth.reshape(shape), normal.reshape(*shape, 3), np.asarray(centre), size)


def _cover(chosen, corners, low, reach, pixels, y, triangles):
    """Pixels (cell, triangle, depth, barycentric weights) that the chosen triangles cover, each within reach²."""
    offset = np.stack(np.meshgrid(np.arange(reach), np.arange(reach)), axis=-1).reshape(1, -1, 2)
    pixel = low[chosen][:, None] + offset  # (N, reach², 2)
    point = pixel + 0.5
    a, b, c = (corners[chosen][:, None, k] for k in range(3))
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-12, np.nan, area)
    with np.errstate(invalid="ignore"):
        weight = np.stack([_cross(c - b, point - b), _cross(a - c, point - c), _cross(b - a, point - a)], -1)
        weight = weight / area[..., None]
        inside = (weight >= -1e-9).all(-1) & (pixel < pixels).all(-1)
    which, where = np.nonzero(inside)
    weight = weight[which, where]
    owner = chosen[which]
    cell = pixel[which, where, 1] * pixels + pixel[which, where, 0]
    return cell, owner, (y[triangles[owner]] * weight).sum(1), weight


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
