"""Geometry of triangle meshes: graphs, similarity transforms, normals, surface sampling, nearest points."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..numerics import BoolArray, FloatArray, IntArray, lengths

DEGENERATE = 1e-30  # squared length or area below which an edge or a triangle counts as a point, against division by 0
NORMAL_PENALTY = 0.012  # metres that are added to the distance of a point with the opposite normal
FEW_NEIGHBOURS = 6  # that are looked at first where many may have to be


@dataclass(frozen=True)
class Similarity:
    """A uniform scale, a rotation and a translation: y = scale · R · x + t."""

    scale: float
    rotation: FloatArray  # (3, 3)
    translation: FloatArray  # (3,)

    def apply(self, points: FloatArray) -> FloatArray:
        """Transform points (..., 3)."""
        return self.apply_to_vectors(points) + self.translation

    def apply_to_vectors(self, vectors: FloatArray) -> FloatArray:
        """Transform offsets (..., 3): scale and rotation without the translation."""
        transformed: FloatArray = self.scale * vectors @ self.rotation.T
        return transformed

    def apply_inverse(self, points: FloatArray) -> FloatArray:
        """Transform points (..., 3) back."""
        transformed: FloatArray = (points - self.translation) @ self.rotation / self.scale
        return transformed

    def after(self, first: "Similarity") -> "Similarity":
        """Return the composition that applies `first`, then this transform."""
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, self.apply(first.translation))


@dataclass(frozen=True)
class StretchedSimilarity:
    """A similarity after which the axes are stretched: y = (scale · R · x + t) · stretch, for points as rows."""

    similarity: Similarity
    stretch: FloatArray  # (3, 3), with determinant 1

    @property
    def scale(self) -> float:
        """The cubic root of the change of volume."""
        return self.similarity.scale

    def apply(self, points: FloatArray) -> FloatArray:
        """Transform points (..., 3)."""
        transformed: FloatArray = self.similarity.apply(points) @ self.stretch
        return transformed

    def apply_to_vectors(self, vectors: FloatArray) -> FloatArray:
        """Transform offsets (..., 3)."""
        transformed: FloatArray = self.similarity.apply_to_vectors(vectors) @ self.stretch
        return transformed

    def apply_inverse(self, points: FloatArray) -> FloatArray:
        """Transform points (..., 3) back."""
        return self.similarity.apply_inverse(points @ np.linalg.inv(self.stretch))


def measure_stretch(
    source: FloatArray, target: FloatArray, weight: FloatArray, rotation: FloatArray
) -> tuple[FloatArray, float]:
    """Measure how much `target` is stretched along the axes of `source`, relative to a similarity.

    Args:
        source: Points (N, 3), not all in one plane.
        target: Points (N, 3), one for each source point.
        weight: Non-negative weights (N,).
        rotation: Rotation (3, 3) of the source's axes to the target's.

    Returns:
        The stretch in the target's axes, symmetric with determinant 1 (3, 3), and the ratio of its largest to its
        smallest factor.
    """
    weight = weight / weight.sum()
    centred_source, centred_target = source - weight @ source, target - weight @ target
    root = np.sqrt(weight)[:, None]
    affine = np.linalg.lstsq(centred_source * root, centred_target * root, rcond=None)[0].T
    _, singular_values, vt = np.linalg.svd(affine)
    factors = np.diag((vt.T * singular_values) @ vt)
    factors = factors / np.cbrt(factors.prod())
    return (rotation * factors) @ rotation.T, float(factors.max() / factors.min())


def fit_similarity(source: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Similarity:
    """Return the similarity that maps `source` to `target` with the least weighted squared error.

    Closed form by singular value decomposition: Umeyama, "Least-squares estimation of transformation parameters
    between two point patterns", 1991.

    Args:
        source: Points (N, 3), not all at one place.
        target: Points (N, 3), one for each source point.
        weight: Non-negative weights (N,); equal weights by default.
    """
    weight = np.ones(len(source)) if weight is None else weight
    weight = weight / weight.sum()
    source_mean, target_mean = weight @ source, weight @ target
    centred_source, centred_target = source - source_mean, target - target_mean
    u, singular_values, vt = np.linalg.svd((centred_target * weight[:, None]).T @ centred_source)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])  # a rotation, never a reflection
    rotation = (u * sign) @ vt
    scale = (singular_values * sign).sum() / (weight @ (centred_source**2).sum(1))
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def unique_edges(triangles: IntArray) -> IntArray:
    """Return the undirected edges (E, 2) of triangles (T, 3), each once, with the smaller vertex first."""
    a, b, c = triangles.T
    one, two = np.concatenate([a, b, c]), np.concatenate([b, c, a])
    count = int(one.max()) + 1 if len(one) else 1
    ends = np.minimum(one, two), np.maximum(one, two)
    joined = sparse.coo_matrix((np.ones(len(one), bool), ends), shape=(count, count)).tocsr()
    joined.sort_indices()
    low = np.repeat(np.arange(count), np.diff(joined.indptr))
    return np.stack([low, joined.indices.astype(np.int64)], axis=1)


def position_labels(vertices: FloatArray) -> IntArray:
    """Return a label (V,) for each vertex (V, 3): vertices with exactly the same coordinates share one.

    Labels run from 0 to the number of distinct positions - 1.
    """
    order = np.lexsort(vertices.T)
    label = np.empty(len(vertices), dtype=int)
    label[order] = np.cumsum((np.diff(vertices[order], axis=0, prepend=np.nan) != 0).any(1)) - 1
    return label


def adjacency(edges: IntArray, count: int, weight: FloatArray | None = None) -> sparse.csr_matrix:
    """Return the symmetric adjacency matrix of a graph.

    Args:
        edges: Undirected edges (E, 2), each once.
        count: Number of vertices V.
        weight: Value of each edge (E,); 1 by default.

    Returns:
        Sparse matrix (V, V).
    """
    weight = np.ones(len(edges)) if weight is None else weight
    matrix = sparse.coo_matrix((weight, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    symmetric: sparse.csr_matrix = matrix + matrix.T
    return symmetric


def edge_length_matrix(vertices: FloatArray, triangles: IntArray) -> sparse.csr_matrix:
    """Return the adjacency matrix whose values are the edge lengths.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).

    Returns:
        Sparse matrix (V, V), in the unit of the vertices.
    """
    edges = unique_edges(triangles)
    return adjacency(edges, len(vertices), edge_lengths(vertices, edges))


def edge_lengths(vertices: FloatArray, edges: IntArray) -> FloatArray:
    """Return the lengths (E,) of edges (E, 2) between vertices (V, 3)."""
    return lengths(vertices[edges[:, 0]] - vertices[edges[:, 1]])


def component_labels(edges: IntArray, count: int) -> IntArray:
    """Return the connected component (count,) that each of `count` vertices belongs to."""
    joined = sparse.coo_matrix((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    labels: IntArray = connected_components(joined.tocsr(), directed=False)[1]
    return labels


def uniform_laplacian(edges: IntArray, count: int) -> sparse.csr_matrix:
    """Return the uniform Laplacian (count, count): each row is a vertex minus the mean of its neighbours."""
    matrix = adjacency(edges, count)
    degree = np.maximum(np.asarray(matrix.sum(1)).ravel(), 1)
    laplacian: sparse.csr_matrix = (sparse.eye(count) - sparse.diags(1 / degree) @ matrix).tocsr()
    return laplacian


def interpolate_offsets(
    offsets: FloatArray, centres: FloatArray, points: FloatArray, width: float, regularisation: float = 0.05
) -> FloatArray:
    """Interpolate known offsets smoothly to other points, with Gaussian radial basis functions.

    Args:
        offsets: Known offsets (M, 3).
        centres: The points where they are known (M, 3).
        points: The points to interpolate at (N, 3).
        width: Standard deviation of the Gaussians, in the unit of the points.
        regularisation: Added to the diagonal of the system. It keeps the system well conditioned if centres are close
            together; in return, the result differs slightly from the known offsets at the centres.

    Returns:
        Offsets (N, 3).
    """

    def gaussian(x: FloatArray) -> FloatArray:
        kernel: FloatArray = np.exp(-((x[:, None] - centres) ** 2).sum(-1) / (2 * width**2))
        return kernel

    weights = np.linalg.solve(gaussian(centres) + regularisation * np.eye(len(centres)), offsets)
    interpolated: FloatArray = gaussian(points) @ weights
    return interpolated


def search_tree(points: FloatArray) -> cKDTree:
    """Return a search tree over points (M, 3). It is not balanced: so it is built in half the time."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def nearest_points(points: FloatArray, queries: FloatArray, count: int = 1) -> tuple[FloatArray, IntArray]:
    """Find the nearest points of each query.

    Args:
        points: Points to search (M, 3).
        queries: Query points (N, 3).
        count: Number of neighbours, at most M.

    Returns:
        Distances and indices of the points, nearest first: (N,) each for one neighbour, (N, count) for several.
    """
    distance, index = cKDTree(points).query(queries, k=count)
    return np.asarray(distance), np.asarray(index)


def within(points: FloatArray, centres: FloatArray, radius: float) -> BoolArray:
    """Return which points (N, 3) are nearer than `radius` to one of the centres (M, 3)."""
    distance = search_tree(centres).query(points, distance_upper_bound=radius)[0]
    return np.asarray(distance < radius)


def nearest_with_like_normal(
    points: FloatArray, normals: FloatArray, queries: FloatArray, query_normals: FloatArray, count: int
) -> IntArray:
    """Find the nearest point of each query, where points with another normal count as farther.

    NORMAL_PENALTY · (1 - cosine) / 2 is added to the distance.

    Args:
        points: Points to search (M, 3), metres.
        normals: Their unit normals (M, 3).
        queries: Query points (N, 3), metres.
        query_normals: Their unit normals (N, 3).
        count: Number of nearest points to choose from, 2 to M.

    Returns:
        Index of a point (N,).
    """
    tree, nearest = search_tree(points), np.zeros(len(queries), int)
    open_queries = np.arange(len(queries))
    for few in (min(FEW_NEIGHBOURS, count), count):
        distance, index = map(np.asarray, tree.query(queries[open_queries], few))
        cosine = (normals[index] * query_normals[open_queries, None]).sum(-1)
        score = distance + NORMAL_PENALTY * (1 - cosine) / 2
        best, rows = score.argmin(1), np.arange(len(index))
        nearest[open_queries] = index[rows, best]
        # Points beyond these few are farther away than the last of them: no better one is among them.
        open_queries = open_queries[score[rows, best] > distance[:, -1]]
        if not len(open_queries):
            break
    return nearest


def sample_surface(
    vertices: FloatArray, triangles: IntArray, spacing: float, max_subdivision: int = 12
) -> tuple[IntArray, FloatArray]:
    """Sample points on triangles, about `spacing` apart: the centroids of the n² equal parts of each triangle.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).
        spacing: Distance between points, in the unit of the vertices.
        max_subdivision: Largest n.

    Returns:
        The triangle of each point (N,), and its barycentric weights (N, 3).
    """
    corners = vertices[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    subdivision = np.clip(np.ceil(longest / spacing), 1, max_subdivision).astype(int)
    owners, weights = [], []
    for n in np.unique(subdivision):
        chosen = np.flatnonzero(subdivision == n)
        i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
        upright = np.stack([i, j], -1)[i + j < n] + 1 / 3
        inverted = np.stack([i, j], -1)[i + j < n - 1] + 2 / 3
        inner = np.concatenate([upright, inverted]) / n
        weight = np.column_stack([1 - inner.sum(1), inner])
        owners.append(np.repeat(chosen, len(weight)))
        weights.append(np.tile(weight, (len(chosen), 1)))
    return np.concatenate(owners), np.concatenate(weights)


def blend_corners(values: FloatArray, corners: IntArray, weight: FloatArray) -> FloatArray:
    """Interpolate values (V, D) of vertices in triangles with corners (N, 3) and barycentric weights (N, 3): (N, D)."""
    mixed, second, third = (np.take(values, corners[:, k], 0) * weight[:, k, None] for k in range(3))
    mixed += second
    mixed += third
    return mixed


def closest_on_triangles(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the point of each triangle that is closest to a given point.

    The projection onto the plane, clamped to the edges where it falls outside: Ericson, "Real-Time Collision
    Detection", 5.1.5. The add-on has a function of its own for this (scene/landmarks/surface.py), because the two
    packages share only the protocol.

    Args:
        points: Points (N, 3).
        corners: Triangles (N, 3, 3), one for each point.

    Returns:
        Barycentric weights (N, 3).
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    determinant = np.maximum(d00 * d11 - d01 * d01, DEGENERATE)
    v, w = (d11 * d20 - d01 * d21) / determinant, (d00 * d21 - d01 * d20) / determinant
    weights = np.column_stack([1 - v - w, v, w])
    outside = (weights < 0).any(1)
    if outside.any():
        weights[outside] = _closest_on_edges(points[outside], corners[outside])
    return weights


def _closest_on_edges(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the barycentric weights (N, 3) of the closest point on the three edges of triangles (N, 3, 3)."""
    options, distances = [], []
    for start, end in ((0, 1), (1, 2), (2, 0)):
        origin = corners[:, start]
        edge = corners[:, end] - origin
        t = ((points - origin) * edge).sum(1) / np.maximum((edge**2).sum(1), DEGENERATE)
        t = t.clip(0, 1)
        weight = np.zeros((len(t), 3))
        weight[:, start], weight[:, end] = 1 - t, t
        options.append(weight)
        distances.append(np.linalg.norm(points - origin - t[:, None] * edge, axis=1))
    nearest = np.argmin(distances, axis=0)
    closest: FloatArray = np.stack(options)[nearest, np.arange(len(nearest))]
    return closest


def triangle_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Return the normals (T, 3) of triangles (T, 3), not normalised: their length is twice the area."""
    a, b, c = np.ascontiguousarray(triangles.T)
    (ux, vx), (uy, vy), (uz, vz) = ((at[b] - at[a], at[c] - at[a]) for at in np.ascontiguousarray(vertices.T))
    normals = np.empty((len(triangles), 3), np.result_type(ux, vx))
    normals[:, 0] = uy * vz - uz * vy
    normals[:, 1] = uz * vx - ux * vz
    normals[:, 2] = ux * vy - uy * vx
    return normals


def vertex_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Return the vertex normals, the area-weighted means of the normals of the triangles around.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).

    Returns:
        Unit vectors (V, 3), 0 for vertices without a triangle.
    """
    starts = np.arange(0, triangles.size + 1, 3)
    shape = len(vertices), len(triangles)
    around = sparse.csc_matrix((np.ones(triangles.size), triangles.ravel(), starts), shape=shape)
    total = around @ triangle_normals(vertices, triangles)
    normals: FloatArray = total / np.maximum(lengths(total), 1e-20)[:, None]
    return normals


def used_vertices(triangles: IntArray, count: int) -> IntArray:
    """Return the vertices that triangles (T, 3) use, in order; `count` is the number of all vertices."""
    used = np.zeros(count, dtype=bool)
    used[triangles] = True
    return np.flatnonzero(used)


def bounding_box_centre(points: FloatArray) -> FloatArray:
    """Return the centre (D,) of the bounding box of points (N, D)."""
    centre: FloatArray = (points.min(0) + points.max(0)) / 2
    return centre
