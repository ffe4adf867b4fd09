"""Carry the head's shapes over to a registered mesh: every vertex gets a place on the fitted head."""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from . import head as h
from .seam_closure import close_all, head_seams
from .geometry import adjacency, closest_on_triangles, edges_of, sample_surface, smoothstep
from .raster import vertex_normals
from .registration import Registration

SAMPLE_SPACING = 0.0015
NEIGHBOURS = 24
NORMAL_PENALTY = 0.012  # metres that opposite normals count
FADE = 0.012, 0.04  # metres from the fitted skin between which a vertex stops following it
FRAME_RADIUS = 0.04  # metres: over this distance the fit's local turn and scale are averaged
LID_OVERLAP = 0.3  # of an edge's length: straight edges between few vertices follow curved lids only so far
UNTANGLE_ROUNDS = 20


def local_shapes(registration: Registration, head: h.Head) -> np.ndarray:
    """(52, Vh, 3) the head's shapes turned and scaled as the fit did the skin around, with lips and lids that meet."""
    skin = np.flatnonzero((head.part == h.SKIN) & (head.region != h.MOUTH_BAG) & (head.region != h.SOCKET))
    anchors = skin[_spread(head.vertices[skin], 0.018)]
    source, target = head.vertices[skin], registration.fitted[skin]
    frames = np.stack([_frame(source, target, head.vertices[a]) for a in anchors])  # (A, 3, 3)
    gap, near = cKDTree(head.vertices[anchors]).query(head.vertices, k=6)
    weight = np.exp(-((gap - gap[:, :1]) ** 2) / (2 * 0.015**2))
    frame = np.einsum("vk,vkij->vij", weight / weight.sum(1, keepdims=True), frames[near])
    shapes = np.einsum("vij,cvj->cvi", frame, head.basis)
    return close_all(
        registration.fitted,
        head.faces,
        shapes,
        head_seams(head),
        head.region == h.MOUTH_BAG,
        LID_OVERLAP * _coarseness(registration, head),
    )


def _coarseness(registration, head):
    """Median length of the mesh's edges around the eyes, metres."""
    target = registration.target
    lids = cKDTree(registration.fitted[(head.region == h.LID_UPPER) | (head.region == h.LID_LOWER)])
    triangles = target.triangles[target.skin]
    near = lids.query(target.vertices[triangles].mean(1), distance_upper_bound=0.01)[0] < 0.01
    edges = edges_of(triangles[near])
    return float(np.median(np.linalg.norm(np.diff(target.vertices[edges], axis=1), axis=-1))) if near.any() else 0.0


def _spread(points, spacing):
    """Indices of a subset at most about `spacing` apart: one point of every occupied cell."""
    _, first = np.unique(np.floor(points / spacing).astype(int), axis=0, return_index=True)
    return first


def _frame(source, target, at):
    """Rotation times scale that maps the neighbourhood of `at`, a weighted Procrustes fit."""
    weight = np.exp(-((source - at) ** 2).sum(1) / (2 * FRAME_RADIUS**2))
    near = weight > 0.02
    weight, source, target = weight[near], source[near], target[near]
    weight = weight / weight.sum()
    a, b = source - weight @ source, target - weight @ target
    u, size, vt = np.linalg.svd((b * weight[:, None]).T @ a)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (size * sign).sum() / (weight @ (a**2).sum(1))
    return np.clip(scale, 0.5, 2.0) * (u * sign) @ vt


def place_skin(registration: Registration, head: h.Head, vertices: np.ndarray):
    """Places of some target vertices on the fitted skin: triangle corners (N, 3), weights (N, 3), distance (N,)."""
    target, fitted = registration.target, registration.fitted
    skin_faces = head.faces[(head.part[head.faces] == h.SKIN).all(1)]
    normals = vertex_normals(fitted, skin_faces)
    owner, weight = sample_surface(fitted, skin_faces, SAMPLE_SPACING, most=4)
    mix = lambda values: (values[skin_faces[owner]] * weight[..., None]).sum(1)
    sample_normals = mix(normals)
    sample_normals /= np.maximum(np.linalg.norm(sample_normals, axis=1, keepdims=True), 1e-12)
    samples = mix(fitted)
    side = np.sign(head.mouth_side[skin_faces].sum(1))[owner]
    best_score = np.full(len(vertices), np.inf)
    best = np.zeros(len(vertices), int)
    own_side = target.side[vertices]
    # One search tree per mouth side, so that the other lip never crowds out the own one.
    for mouth in (0, 1, -1):
        allowed = np.flatnonzero(side * mouth >= 0) if mouth else np.arange(len(samples))
        rows = np.flatnonzero(own_side == mouth)
        if not len(rows):
            continue
        neighbours = min(NEIGHBOURS, len(allowed))
        distance, index = cKDTree(samples[allowed]).query(target.vertices[vertices[rows]], k=neighbours)
        index = allowed[index]
        cosine = (sample_normals[index] * target.normals[vertices[rows], None]).sum(-1)
        score = distance + NORMAL_PENALTY * (1 - cosine) / 2
        pick = score.argmin(1)
        best[rows] = index[np.arange(len(rows)), pick]
        best_score[rows] = score[np.arange(len(rows)), pick]
    corners = skin_faces[owner[best]]
    weights = closest_on_triangles(target.vertices[vertices], fitted[corners])
    nearest = (fitted[corners] * weights[..., None]).sum(1)
    return corners, weights, np.linalg.norm(nearest - target.vertices[vertices], axis=1)


def carry_skin(registration: Registration, head: h.Head, shapes: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(52, V, 3) offsets in the head's frame; only `vertices` move. shapes (52, Vh, 3) from local_shapes."""
    count = len(registration.target.vertices)
    basis = np.zeros((len(shapes), count, 3))
    corners, weights, distance = place_skin(registration, head, vertices)
    rows = np.repeat(np.arange(len(vertices)), 3)
    matrix = sparse.csr_matrix((weights.ravel(), (rows, corners.ravel())), shape=(len(vertices), len(head.vertices)))
    flat = matrix @ shapes.transpose(1, 0, 2).reshape(len(head.vertices), -1)
    flat *= 1 - smoothstep(distance, *FADE)[:, None]
    basis[:, vertices] = flat.reshape(len(vertices), len(shapes), 3).transpose(1, 0, 2)
    return basis


def untangle(target, basis: np.ndarray, poses) -> np.ndarray:
    """Replace the offsets around triangles that turn over by what their surroundings say (a local affine fit).

    basis (52, V, 3) in the head's frame, changed in place; poses: tuples of rows of basis, added at full strength.
    """
    moves = np.abs(basis).max((0, 2)) > 1e-4
    triangles = target.triangles[moves[target.triangles].any(1) & target.skin]
    graph = adjacency(edges_of(triangles), len(target.vertices))
    before = triangle_normals(target.vertices, triangles)
    turned, look = np.zeros(len(triangles), dtype=bool), np.arange(len(triangles))
    for _ in range(UNTANGLE_ROUNDS):
        turned[look] = False
        for pose in poses:
            after = triangle_normals(target.vertices + basis[list(pose)].sum(0), triangles[look])
            turned[look] |= (before[look] * after).sum(1) < 0
        ring = np.unique(triangles[turned])
        if not len(ring):
            break
        basis[:, ring] = _affine_average(target.vertices, graph, basis, ring)
        changed = np.zeros(len(target.vertices), dtype=bool)
        changed[ring] = True
        look = np.flatnonzero(changed[triangles].any(1))
    return basis


def _affine_average(points, graph, basis, ring, most=24):
    """(52, N, 3) value at each of the `ring` vertices of an affine fit to the offsets within two edges of it."""
    rows = (graph[ring] @ graph + graph[ring]).tocsr()
    neighbours = np.full((len(ring), most), -1)
    for i in range(len(ring)):
        near = rows.indices[rows.indptr[i] : rows.indptr[i + 1]]
        gap = ((points[near] - points[ring[i]]) ** 2).sum(1)
        near = near[np.argsort(gap)[:most]]
        neighbours[i, : len(near)] = near
    there = neighbours >= 0
    step = points[neighbours] - points[ring][:, None]  # (N, M, 3)
    gap = (step**2).sum(-1)
    scale = np.where(there, gap, 0).sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1) + 1e-18
    weight = np.where(there, np.exp(-gap / scale), 0)
    design = np.concatenate([np.ones((*step.shape[:2], 1)), step / np.sqrt(scale)[..., None]], axis=-1)
    normal = np.einsum("nm,nmi,nmj->nij", weight, design, design) + 1e-3 * np.eye(4) * weight.sum(1)[:, None, None]
    first = np.linalg.inv(normal)[:, 0]  # the row that gives the value at the vertex itself
    share = np.einsum("ni,nmi,nm->nm", first, design, weight)
    share /= share.sum(1, keepdims=True)
    return np.einsum("nm,cnmk->cnk", share, basis[:, neighbours])


def triangle_normals(vertices, triangles):
    """Not normalised: twice the area long."""
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    return np.cross(b - a, c - a)
