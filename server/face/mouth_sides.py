"""Which side of the mouth a vertex belongs to, told along the surface: lips that touch are far apart that way."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from . import head as h
from .geometry import adjacency, edges_of
from .raster import vertex_normals

SEED_DISTANCE, SEED_COSINE = 0.008, 0.5  # a seed lies this near to the outside of a fitted lip and faces the same way
SEAM_CLEARANCE = 0.004  # nor so near to where the fitted lips meet: the fit may miss that by a lip's border
LIP_SEAMS = 1 << h.SEAMS.index("upper_lip") | 1 << h.SEAMS.index("lower_lip")
REACH = 0.03  # metres along the surface
CLEARLY = 0.6  # the nearer lip must be nearer than this share of the way to the other one: corners belong to none


def mouth_sides(target, head: h.Head, fitted_skin: np.ndarray) -> np.ndarray:
    """(V,) +1 for vertices of the target nearer (along edges) to the upper lip, -1 to the lower, 0 elsewhere."""
    count = len(fitted_skin)
    normals = vertex_normals(fitted_skin, head.faces[(head.faces < count).all(1)])
    centre = fitted_skin[head.landmark_vertices[48:68]].mean(0)
    near = np.flatnonzero(np.linalg.norm(target.vertices - centre, axis=1) < 0.08)
    edges = edges_of(target.triangles[np.isin(target.triangles, near).all(1) & target.skin])
    edges = _bridge(target, edges, near)
    index = np.full(len(target.vertices), -1)
    index[near] = np.arange(len(near))
    length = np.linalg.norm(target.vertices[edges[:, 0]] - target.vertices[edges[:, 1]], axis=1)
    graph = adjacency(index[edges], len(near), np.maximum(length, 1e-6))
    seam = fitted_skin[np.flatnonzero(head.seam[:count] & LIP_SEAMS)]
    aside = cKDTree(seam).query(target.vertices[near])[0] > SEAM_CLEARANCE
    gaps, seeds = [], []
    for side in (1, -1):
        lip = np.flatnonzero(_outer_lip(head, fitted_skin, side))
        gap, which = cKDTree(fitted_skin[lip]).query(target.vertices[near])
        gaps.append(gap)
        cosine = (normals[lip][which] * target.normals[near]).sum(1)
        seeds.append(aside & (gap < SEED_DISTANCE) & (cosine > SEED_COSINE))
    distances = []
    for own, other in ((0, 1), (1, 0)):
        clear = np.flatnonzero(seeds[own] & (gaps[own] < 0.5 * gaps[other]))
        if not len(clear):
            return np.zeros(len(target.vertices), int)
        distances.append(_geodesic(graph, clear, gaps[own][clear]))
    upper, lower = distances
    side = np.where(upper < lower, 1, -1)
    nearer, farther = np.minimum(upper, lower), np.maximum(upper, lower)
    side[(nearer > REACH) | (nearer > CLEARLY * farther)] = 0
    sides = np.zeros(len(target.vertices), int)
    sides[near] = side
    return sides


def _outer_lip(head, fitted_skin, side):
    """Skin vertices around one lip that look outwards and do not lie near the corners."""
    skin = slice(0, len(fitted_skin))
    middle = head.landmarks68[48:68].mean(0)
    half_width = np.abs(head.landmarks68[[48, 54], 0]).mean()
    vertices = head.vertices[skin]
    facing = vertex_normals(vertices, head.faces[(head.faces < len(fitted_skin)).all(1)])[:, 1] < -0.3
    central = np.abs(vertices[:, 0] - middle[0]) < 0.8 * half_width
    return (head.mouth_side[skin] == side) & facing & central & (head.region[skin] != h.MOUTH_BAG)


def _bridge(target, edges, near):
    """Add zero-length edges between exactly coincident vertices that face the same way (split normals or UV seams)."""
    order = near[np.lexsort(target.vertices[near].T)]
    same = (target.vertices[order[1:]] == target.vertices[order[:-1]]).all(1)
    same &= (target.normals[order[1:]] * target.normals[order[:-1]]).sum(1) > 0
    return np.concatenate([edges, np.column_stack([order[:-1][same], order[1:][same]])])


def _geodesic(graph, seeds, start):
    """Shortest path length from the seeds, each with its own start value (through an extra source vertex)."""
    count = graph.shape[0]
    row = sparse.csr_matrix((start + 1e-6, (np.zeros(len(seeds), int), seeds)), shape=(1, count))
    full = sparse.bmat([[graph, None], [row, sparse.csr_matrix((1, 1))]], format="csr")
    return dijkstra(full, directed=True, indices=count)[:count]
