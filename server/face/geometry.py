"""Small geometric tools on triangle meshes, numpy and scipy only."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components


def edges_of(triangles: np.ndarray) -> np.ndarray:
    """(E, 2) undirected edges, each once."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    low, high = pairs.min(1).astype(np.int64), pairs.max(1)
    count = int(high.max()) + 1 if len(high) else 1
    return np.stack(np.divmod(np.unique(low * count + high), count), axis=1)


def same_places(vertices: np.ndarray) -> np.ndarray:
    """(V,) label of the place that each vertex lies at: vertices with exactly the same coordinates share one."""
    order = np.lexsort(vertices.T)
    label = np.empty(len(vertices), dtype=int)
    label[order] = np.cumsum((np.diff(vertices[order], axis=0, prepend=np.nan) != 0).any(1)) - 1
    return label


def adjacency(edges: np.ndarray, count: int, weight=None) -> sparse.csr_matrix:
    """Symmetric (count, count) matrix with `weight` (1 by default) on the edges."""
    weight = np.ones(len(edges)) if weight is None else weight
    matrix = sparse.coo_matrix((weight, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    return matrix + matrix.T


def edge_lengths(vertices: np.ndarray, triangles: np.ndarray) -> sparse.csr_matrix:
    """Symmetric (V, V) matrix of the lengths of the edges, in the unit of the vertices (V, 3)."""
    edges = edges_of(triangles)
    return adjacency(edges, len(vertices), np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1))


def components(edges: np.ndarray, count: int) -> np.ndarray:
    """(count,) label of the connected piece that each vertex belongs to."""
    return connected_components(adjacency(edges, count), directed=False)[1]


def laplacian(edges: np.ndarray, count: int) -> sparse.csr_matrix:
    """Uniform Laplacian, rows scaled so that each is x minus the mean of its neighbours."""
    matrix = adjacency(edges, count)
    degree = np.maximum(np.asarray(matrix.sum(1)).ravel(), 1)
    return (sparse.eye(count) - sparse.diags(1 / degree) @ matrix).tocsr()


def similarity(source, target, weight=None):
    """Scale, rotation (3, 3) and shift with target ≈ scale * source @ rotation.T + shift (Umeyama 1991)."""
    weight = np.ones(len(source)) if weight is None else weight
    weight = weight / weight.sum()
    from_mean, to_mean = weight @ source, weight @ target
    a, b = source - from_mean, target - to_mean
    u, size, vt = np.linalg.svd((b * weight[:, None]).T @ a)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = (size * sign).sum() / (weight @ (a**2).sum(1))
    return scale, rotation, to_mean - scale * rotation @ from_mean


def spread(offsets, at, points, reach, slack=0.05):
    """(N, 3) smooth offsets of `points` (N, 3) that nearly are `offsets` (M, 3) at the places `at` (M, 3).

    A sum of Gaussians of width `reach` around the places; `slack` keeps places that lie close together calm.
    """
    near = lambda x: np.exp(-((x[:, None] - at) ** 2).sum(-1) / (2 * reach**2))
    return near(points) @ np.linalg.solve(near(at) + slack * np.eye(len(at)), offsets)


def sample_surface(vertices, triangles, spacing, most=12):
    """Points about `spacing` apart over the triangles: triangle index (N,), barycentric weights (N, 3).

    Every triangle gives the centroids of its n² equal parts.
    """
    corners = vertices[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    parts = np.clip(np.ceil(longest / spacing), 1, most).astype(int)
    owners, weights = [], []
    for n in np.unique(parts):
        chosen = np.flatnonzero(parts == n)
        i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
        up = np.stack([i, j], -1)[i + j < n] + 1 / 3
        down = np.stack([i, j], -1)[i + j < n - 1] + 2 / 3
        inner = np.concatenate([up, down]) / n
        weight = np.column_stack([1 - inner.sum(1), inner])
        owners.append(np.repeat(chosen, len(weight)))
        weights.append(np.tile(weight, (len(chosen), 1)))
    return np.concatenate(owners), np.concatenate(weights)


def closest_on_triangles(points, corners):
    """Barycentric weights (N, 3) of the point of each triangle (N, 3, 3) that is closest to each point (N, 3).

    After Ericson, Real-Time Collision Detection, 5.1.5: clamp to the edges where the projection falls outside.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    best = np.column_stack([1 - v - w, v, w])
    outside = (best < 0).any(1)
    if outside.any():
        options, distances = [], []
        for start, end in ((0, 1), (1, 2), (2, 0)):
            p, q = corners[outside, start], corners[outside, end]
            step = q - p
            t = ((points[outside] - p) * step).sum(1) / np.maximum((step**2).sum(1), 1e-30)
            t = t.clip(0, 1)
            weight = np.zeros((len(t), 3))
            weight[:, start], weight[:, end] = 1 - t, t
            options.append(weight)
            distances.append(np.linalg.norm(points[outside] - p - t[:, None] * step, axis=1))
        pick = np.argmin(distances, axis=0)
        best[outside] = np.stack(options)[pick, np.arange(len(pick))]
    return best


def smoothstep(x, low, high):
    """0 below low, 1 above high, smooth between; low may be the larger one."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
