"""Mouth sides: tells upper from lower lip by distances along the surface, where lips that touch are far apart."""

from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ..numerics import BoolArray, FloatArray, IntArray
from .geometry import adjacency, edge_lengths, nearest_points, unique_edges, vertex_normals
from .head import LIP_SEAMS, MOUTH_LANDMARKS, Head, HeadPart, HeadRegion
from .target_mesh import TargetMesh

SEARCH_RADIUS = 0.08  # metres from the middle of the mouth; farther vertices have no side
SEED_DISTANCE, SEED_COSINE = 0.008, 0.5  # metres from a fitted lip and cosine of the normals, limits for a seed
SEED_RATIO = 0.5  # a seed is nearer to its own lip than this share of its distance to the other lip
SEAM_CLEARANCE = 0.004  # metres: seeds keep away from the fitted seam, which may miss the lips' border by its width
MAX_GEODESIC = 0.03  # metres along the surface; vertices farther away belong to no side
CLEAR_RATIO = 0.6  # the nearer lip must be nearer than this share of the distance to the other: corners have no side
LIMIT = MAX_GEODESIC / CLEAR_RATIO  # metres: it makes no difference how much farther a lip is
CENTRAL_SHARE = 0.8  # of the half width of the mouth: vertices nearer to the corners are no seeds
MAX_FRONT_NORMAL = -0.3  # y of the normals on the outside of the lips, which face −Y
MIN_EDGE_LENGTH = 1e-6  # metres


def mouth_sides(target: TargetMesh, head: Head, fitted_skin: FloatArray) -> IntArray:
    """Return which side of the mouth each vertex of the target belongs to.

    Args:
        target: The mesh.
        head: The canonical head.
        fitted_skin: The head's skin, fitted to the mesh (S, 3), metres.

    Returns:
        (V,): +1 for vertices that are nearer, along edges, to the upper lip, -1 to the lower lip, 0 elsewhere.
    """
    centre = fitted_skin[head.landmark_vertices[MOUTH_LANDMARKS]].mean(0)
    near = np.flatnonzero(np.linalg.norm(target.vertices - centre, axis=1) < SEARCH_RADIUS)
    graph = _surface_graph(target, near)
    gaps, seeds = _seeds(target, head, fitted_skin, near)
    distances = []
    for own, other in ((0, 1), (1, 0)):
        clear = np.flatnonzero(seeds[own] & (gaps[own] < SEED_RATIO * gaps[other]))
        if not len(clear):
            return np.zeros(len(target.vertices), int)
        distances.append(_geodesic_distances(graph, clear, gaps[own][clear]))
    upper, lower = distances
    side = np.where(upper < lower, 1, -1)
    nearer, farther = np.minimum(upper, lower), np.maximum(upper, lower)
    side[(nearer > MAX_GEODESIC) | (nearer > CLEAR_RATIO * farther)] = 0
    sides = np.zeros(len(target.vertices), int)
    sides[near] = side
    return sides


def _surface_graph(target: TargetMesh, near: IntArray) -> sparse.csr_matrix:
    """Return the matrix (N, N) of edge lengths between the vertices `near` (N,) of the skin."""
    index = np.full(len(target.vertices), -1)
    index[near] = np.arange(len(near))
    edges = unique_edges(target.triangles[(index[target.triangles] >= 0).all(1) & target.skin])
    edges = np.concatenate([edges, _coincident_pairs(target, near)])
    length = np.maximum(edge_lengths(target.vertices, edges), MIN_EDGE_LENGTH)
    return adjacency(index[edges], len(near), length)


def _coincident_pairs(target: TargetMesh, near: IntArray) -> IntArray:
    """Return pairs (E, 2) of vertices at one position with like normals, as UV seams and split normals leave them."""
    order = near[np.lexsort(target.vertices[near].T)]
    same = (target.vertices[order[1:]] == target.vertices[order[:-1]]).all(1)
    same &= (target.normals[order[1:]] * target.normals[order[:-1]]).sum(1) > 0
    return np.column_stack([order[:-1][same], order[1:][same]])


def _seeds(
    target: TargetMesh, head: Head, fitted_skin: FloatArray, near: IntArray
) -> tuple[list[FloatArray], list[BoolArray]]:
    """Return, for the upper and the lower lip, its distance from the vertices `near` (N,), and which may be seeds."""
    normals = vertex_normals(fitted_skin, head.faces[(head.faces < len(fitted_skin)).all(1)])
    seam = fitted_skin[np.flatnonzero(head.seam[: len(fitted_skin)] & LIP_SEAMS)]
    off_seam = nearest_points(seam, target.vertices[near])[0] > SEAM_CLEARANCE
    gaps, seeds = [], []
    for side in (1, -1):
        lip = _outer_lip(head, side)
        gap, which = nearest_points(fitted_skin[lip], target.vertices[near])
        gaps.append(gap)
        cosine = (normals[lip][which] * target.normals[near]).sum(1)
        seeds.append(off_seam & (gap < SEED_DISTANCE) & (cosine > SEED_COSINE))
    return gaps, seeds


@lru_cache(maxsize=2)
def _outer_lip(head: Head, side: int) -> IntArray:
    """Return the vertices (N,) of the outside of one lip, away from the corners of the mouth."""
    skin_count = int((head.part == HeadPart.SKIN).sum())
    skin = slice(0, skin_count)
    middle = head.landmarks68[MOUTH_LANDMARKS].mean(0)
    half_width = np.abs(head.landmarks68[[48, 54], 0]).mean()
    vertices = head.vertices[skin]
    faces_front = vertex_normals(vertices, head.faces[(head.faces < skin_count).all(1)])[:, 1] < MAX_FRONT_NORMAL
    central = np.abs(vertices[:, 0] - middle[0]) < CENTRAL_SHARE * half_width
    on_side = (head.mouth_side[skin] == side) & (head.region[skin] != HeadRegion.MOUTH_BAG)
    return np.flatnonzero(on_side & faces_front & central)


def _geodesic_distances(graph: sparse.csr_matrix, seeds: IntArray, start: FloatArray) -> FloatArray:
    """Return the shortest path length (N,) from the seeds (S,), each with its own start value (S,).

    Lengths beyond LIMIT are infinite. An extra source vertex is joined to the seeds by edges of these lengths.
    """
    count = graph.shape[0]
    row = sparse.csr_matrix((start + 1e-6, (np.zeros(len(seeds), int), seeds)), shape=(1, count))
    blocks: list[list[sparse.csr_matrix | None]] = [[graph, None], [row, sparse.csr_matrix((1, 1))]]
    full = sparse.bmat(blocks).tocsr()
    distances: FloatArray = dijkstra(full, directed=True, indices=[count], limit=LIMIT)
    return distances[0, :count]
