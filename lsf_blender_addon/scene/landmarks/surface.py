"""Finds points on a triangle mesh: where a ray hits it, or closest to a point. No bpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

FULL_SEARCH = 2000  # triangles; a mesh with no more is searched as a whole
NEIGHBOURS = 24  # vertices nearest to the point; on a finer mesh only the triangles around them are searched
DEGENERATE = 1e-30  # squared length of an edge, or area, below which a triangle has no inside


@dataclass(frozen=True)
class SurfacePoint:
    """A point on a triangle; it moves with the vertices.

    Attributes:
        corners: Indices of the triangle's vertices.
        weights: Barycentric weights of these vertices; their sum is 1.
    """

    corners: tuple[int, int, int]
    weights: tuple[float, float, float]

    def position(self, vertices: Floats) -> NDArray[np.float64]:
        """(3,) position of the point on vertices (V, 3)."""
        position: NDArray[np.float64] = np.asarray(self.weights) @ vertices[list(self.corners)]
        return position


class Surface:
    """A triangle mesh with vertices (V, 3) and triangles (T, 3), which are vertex indices."""

    def __init__(self, vertices: Floats, triangles: Ints) -> None:
        self.vertices: NDArray[np.float64] = np.asarray(vertices, np.float64)
        self.triangles = np.asarray(triangles)

    def raycast(self, origin: Floats, direction: Floats) -> SurfacePoint | None:
        """The first point that a ray hits.

        Args:
            origin: (3,) start of the ray.
            direction: (3,) its direction, of any length.

        Returns:
            The point; None if the ray misses the surface.
        """
        direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        across = np.linalg.svd(direction[None])[2][1:]  # two axes perpendicular to the ray, in which it is a point
        seen = (self.vertices - origin) @ across.T
        a, b, c = (seen[self.triangles[:, corner]] for corner in range(3))
        weights = np.stack([_doubled_area(b, c), _doubled_area(c, a), _doubled_area(a, b)], 1)
        inside = (weights >= 0).all(1) | (weights <= 0).all(1)
        hit = np.flatnonzero(inside & (np.abs(weights).sum(1) > DEGENERATE))
        if not len(hit):
            return None
        weights = weights[hit] / weights[hit].sum(1, keepdims=True)
        depth = (weights * ((self.vertices - origin) @ direction)[self.triangles[hit]]).sum(1)
        depth[depth < 0] = np.inf
        first = int(depth.argmin())
        return self._surface_point(int(hit[first]), weights[first]) if np.isfinite(depth[first]) else None

    def closest_point(self, point: Floats) -> SurfacePoint:
        """The point of the surface that is closest to a point (3,)."""
        return self.closest_points(point[None])[0]

    def closest_points(self, points: Floats) -> list[SurfacePoint]:
        """The points of the surface that are closest to points (N, 3).

        On a mesh with more than `FULL_SEARCH` triangles, only those around the nearest vertices are searched, which is
        exact enough for a landmark.
        """
        if len(self.triangles) <= FULL_SEARCH:
            return self._closest_among(points, np.arange(len(self.triangles)))
        return [self._closest_among(point[None], self._triangles_near(point))[0] for point in points]

    def _closest_among(self, points: Floats, among: Ints) -> list[SurfacePoint]:
        """The points closest to points (N, 3) on the triangles with indices `among` (T,)."""
        corners = self.vertices[self.triangles[among]]
        centroids = corners.mean(1)
        radii = np.linalg.norm(corners - centroids[:, None], axis=2).max(1)
        distances = np.linalg.norm(points[:, None] - centroids, axis=2)  # (N, T)
        # No triangle farther away than this can be closer than the nearest centroid.
        row, triangle = np.nonzero(distances - radii <= distances.min(1, keepdims=True))
        weights = closest_barycentric(points[row], corners[triangle])
        gap = (((weights[..., None] * corners[triangle]).sum(1) - points[row]) ** 2).sum(1)
        order = np.lexsort((gap, row))
        best = order[np.searchsorted(row[order], np.arange(len(points)))]
        return [self._surface_point(int(among[triangle[i]]), weights[i]) for i in best]

    def _triangles_near(self, point: Floats) -> Ints:
        """(T,) indices of the triangles around the vertices nearest to a point (3,)."""
        gap = ((self.vertices - point) ** 2).sum(1)
        used = np.zeros(len(self.vertices), bool)
        used[self.triangles] = True
        gap[~used] = np.inf
        return np.flatnonzero(np.isin(self.triangles, np.argpartition(gap, NEIGHBOURS)[:NEIGHBOURS]).any(1))

    def _surface_point(self, triangle: int, weights: Floats) -> SurfacePoint:
        """The point with barycentric weights (3,) on a triangle."""
        return SurfacePoint(tuple(self.triangles[triangle].tolist()), tuple(weights.tolist()))


def closest_barycentric(point: Floats, corners: Floats) -> NDArray[np.float64]:
    """Barycentric weights of the points on triangles that are closest to a point.

    Args:
        point: (3,) one point for all triangles, or (T, 3) one for each.
        corners: (T, 3, 3) corners of the triangles.

    Returns:
        (T, 3) weights of the corners.
    """
    best = np.zeros((len(corners), 3))
    smallest = np.full(len(corners), np.inf)
    for one, other in ((0, 1), (1, 2), (2, 0)):  # the edges, with their ends
        edge = corners[:, other] - corners[:, one]
        along = ((point - corners[:, one]) * edge).sum(1) / np.maximum((edge**2).sum(1), DEGENERATE)
        along = along.clip(0, 1)
        gap = ((corners[:, one] + along[:, None] * edge - point) ** 2).sum(1)
        nearer = gap < smallest
        smallest[nearer] = gap[nearer]
        weights = np.zeros((len(corners), 3))
        weights[:, one], weights[:, other] = 1 - along, along
        best[nearer] = weights[nearer]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    squared = (normal**2).sum(1)
    inside = np.stack(
        [
            (np.cross(corners[:, after] - corners[:, before], point - corners[:, before]) * normal).sum(1)
            / np.maximum(squared, DEGENERATE**2)
            for before, after in ((1, 2), (2, 0), (0, 1))  # the edge opposite to each corner
        ],
        1,
    )
    on_face = (inside >= 0).all(1) & (squared > DEGENERATE**2)  # the foot of the perpendicular is on the triangle
    best[on_face] = inside[on_face]
    return best


def _doubled_area(a: Floats, b: Floats) -> Floats:
    """(T,) doubled signed areas of the triangles between the origin and points (T, 2) a and b."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
