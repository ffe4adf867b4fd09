"""A triangle mesh to put points on: under a ray, or nearest to a place. Needs nothing but numpy."""

from dataclasses import dataclass

import numpy as np

FEW = 2000  # triangles that are all looked at
NEAR = 24  # of more: those around this many vertices


@dataclass(frozen=True)
class SurfacePoint:
    """A point on a surface, told by its triangle: it moves with the vertices."""

    corners: tuple[int, int, int]  # vertices
    weights: tuple[float, float, float]  # barycentric, their sum is 1

    def position(self, vertices: np.ndarray) -> np.ndarray:
        """(3,) where it is on vertices (V, 3)."""
        return np.asarray(self.weights) @ vertices[list(self.corners)]


class Surface:
    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self.vertices = np.asarray(vertices, np.float64)  # (V, 3)
        self.triangles = np.asarray(triangles)  # (T, 3)

    def raycast(self, origin: np.ndarray, direction: np.ndarray) -> SurfacePoint | None:
        """The first place that a ray hits; origin and direction (3,)."""
        direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        across = np.linalg.svd(direction[None])[2][1:]  # two axes perpendicular to the ray, in which it is a point
        seen = (self.vertices - origin) @ across.T
        a, b, c = (seen[self.triangles[:, corner]] for corner in range(3))
        weights = np.stack([_area(b, c), _area(c, a), _area(a, b)], 1)
        hit = np.flatnonzero(((weights >= 0).all(1) | (weights <= 0).all(1)) & (np.abs(weights).sum(1) > 1e-30))
        if not len(hit):
            return None
        weights = weights[hit] / weights[hit].sum(1, keepdims=True)
        depth = (weights * ((self.vertices - origin) @ direction)[self.triangles[hit]]).sum(1)
        depth[depth < 0] = np.inf
        first = depth.argmin()
        return self._place(hit[first], weights[first]) if np.isfinite(depth[first]) else None

    def closest_point(self, point: np.ndarray) -> SurfacePoint:
        """The place nearest to a point (3,)."""
        return self.closest_points(point[None])[0]

    def closest_points(self, points: np.ndarray) -> list[SurfacePoint]:
        """The places nearest to points (N, 3). On a fine mesh only the triangles of the nearest vertices are looked at,
        which is exact enough for a landmark.
        """
        if len(self.triangles) <= FEW:
            return self._nearest(points, np.arange(len(self.triangles)))
        return [self._nearest(point[None], self._around(point))[0] for point in points]

    def _nearest(self, points: np.ndarray, among: np.ndarray) -> list[SurfacePoint]:
        """The places nearest to points (N, 3) on some triangles, numbered `among` (T,)."""
        corners = self.vertices[self.triangles[among]]
        middles = corners.mean(1)
        radii = np.linalg.norm(corners - middles[:, None], axis=2).max(1)
        apart = np.linalg.norm(points[:, None] - middles, axis=2)  # (N, T)
        # No triangle farther away than this can be nearer than the middle of the nearest.
        row, triangle = np.nonzero(apart - radii <= apart.min(1, keepdims=True))
        weights = closest_barycentric(points[row], corners[triangle])
        gap = (((weights[..., None] * corners[triangle]).sum(1) - points[row]) ** 2).sum(1)
        order = np.lexsort((gap, row))
        best = order[np.searchsorted(row[order], np.arange(len(points)))]
        return [self._place(among[triangle[i]], weights[i]) for i in best]

    def _around(self, point: np.ndarray) -> np.ndarray:
        """(T,) numbers of the triangles around the vertices nearest to a point (3,)."""
        gap = ((self.vertices - point) ** 2).sum(1)
        used = np.zeros(len(self.vertices), bool)
        used[self.triangles] = True
        gap[~used] = np.inf
        return np.flatnonzero(np.isin(self.triangles, np.argpartition(gap, NEAR)[:NEAR]).any(1))

    def _place(self, triangle: int, weights: np.ndarray) -> SurfacePoint:
        return SurfacePoint(tuple(self.triangles[triangle].tolist()), tuple(weights.tolist()))


def closest_barycentric(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(T, 3) barycentric weights of the places on triangles (T, 3, 3) that are nearest to a point (3,), or each to one
    of (T, 3).
    """
    best = np.zeros((len(corners), 3))
    smallest = np.full(len(corners), np.inf)
    for one, other in ((0, 1), (1, 2), (2, 0)):  # the edges, with their ends
        edge = corners[:, other] - corners[:, one]
        along = ((point - corners[:, one]) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-30)
        along = along.clip(0, 1)
        gap = ((corners[:, one] + along[:, None] * edge - point) ** 2).sum(1)
        nearer = gap < smallest
        smallest[nearer] = gap[nearer]
        weights = np.zeros((len(corners), 3))
        weights[:, one], weights[:, other] = 1 - along, along
        best[nearer] = weights[nearer]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.maximum((normal**2).sum(1), 1e-60)
    inside = np.stack(
        [
            (np.cross(corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3], point - corners[:, (k + 1) % 3]) * normal).sum(
                1
            )
            / size
            for k in range(3)
        ],
        1,
    )
    flat = (inside >= 0).all(1) & ((normal**2).sum(1) > 1e-60)  # the foot of the perpendicular is on the triangle
    best[flat] = inside[flat]
    return best


def _area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of the triangles between (T, 2) a, b and the origin, doubled and signed."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
