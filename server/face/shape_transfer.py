"""Shape transfer: carries the head's shapes over to a registered mesh, vertex by vertex."""

from collections.abc import Collection, Sequence

import numpy as np
from scipy import sparse

from ..numerics import FloatArray, IntArray, smoothstep
from .geometry import (
    adjacency,
    closest_on_triangles,
    fit_similarity,
    nearest_points,
    nearest_with_like_normal,
    sample_surface,
    triangle_normals,
    unique_edges,
    vertex_normals,
)
from .head import Head, HeadPart, HeadRegion
from .registration import Registration
from .seam_closure import close_all_seams, seam_vertices
from .target_mesh import TargetMesh

SAMPLE_SPACING = 0.0015  # metres between sample points of the fitted head, among which a vertex gets its counterpart
SAMPLE_SUBDIVISION = 4  # at most, of an edge
NEIGHBOURS = 24  # nearest sample points to choose from
FADE = 0.012, 0.04  # metres from the fitted skin: a nearer vertex follows it fully, a farther one not at all
FRAME_RADIUS = 0.04  # metres: distance over which the fit's local rotation and scale are averaged
ANCHOR_SPACING = 0.018  # metres between the anchors, the vertices where these are computed
ANCHORS, ANCHOR_WIDTH = 6, 0.015  # nearest anchors that are blended, and standard deviation of their weights (metres)
MIN_FRAME_WEIGHT = 0.02  # of a vertex that counts in a local frame
MIN_LOCAL_SCALE, MAX_LOCAL_SCALE = 0.5, 2.0
LID_OVERLAP = 0.3  # of an edge's length: straight edges of coarse meshes would leave slits between curved lids
LID_NEIGHBOURHOOD = 0.01  # metres around the lids within which edges are measured
MIN_OFFSET = 1e-4  # metres: vertices that move less are still
REPAIR_ROUNDS = 20
REPAIR_NEIGHBOURS = 24  # at most, of an affine fit
REPAIR_RIDGE = 1e-3  # regularisation of the affine fit, relative to the sum of weights


def adapt_shapes(registration: Registration, head: Head) -> FloatArray:
    """Adapt the head's shapes to the fitted head.

    They are rotated and scaled as the fit rotated and scaled the skin around. Lips and lids then meet.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.

    Returns:
        Offsets (52, H, 3) on the fitted head, metres.
    """
    on_face = (head.region != HeadRegion.MOUTH_BAG) & (head.region != HeadRegion.SOCKET)
    skin = np.flatnonzero((head.part == HeadPart.SKIN) & on_face)
    anchors = skin[_one_per_cell(head.vertices[skin], ANCHOR_SPACING)]
    source, target = head.vertices[skin], registration.fitted[skin]
    frames = np.stack([_local_frame(source, target, head.vertices[anchor]) for anchor in anchors])  # (A, 3, 3)
    distance, near = nearest_points(head.vertices[anchors], head.vertices, ANCHORS)
    weight = np.exp(-((distance - distance[:, :1]) ** 2) / (2 * ANCHOR_WIDTH**2))
    frame = np.einsum("vk,vkij->vij", weight / weight.sum(1, keepdims=True), frames[near])
    shapes = np.einsum("vij,cvj->cvi", frame, head.basis)
    return close_all_seams(
        registration.fitted,
        head.faces,
        shapes,
        seam_vertices(head),
        head.region == HeadRegion.MOUTH_BAG,
        LID_OVERLAP * _lid_edge_length(registration, head),
    )


def _lid_edge_length(registration: Registration, head: Head) -> float:
    """Return the median length of the mesh's edges around the eyes, metres."""
    target = registration.target
    lids = registration.fitted[np.isin(head.region, (HeadRegion.LID_UPPER, HeadRegion.LID_LOWER))]
    triangles = target.triangles[target.skin]
    centres = target.vertices[triangles].mean(1)
    near = nearest_points(lids, centres)[0] < LID_NEIGHBOURHOOD
    if not near.any():
        return 0.0
    edges = unique_edges(triangles[near])
    return float(np.median(np.linalg.norm(np.diff(target.vertices[edges], axis=1), axis=-1)))


def _one_per_cell(points: FloatArray, spacing: float) -> IntArray:
    """Return the index of one of the points (N, 3) in each occupied cell of a grid of cubes of side `spacing`."""
    _, first = np.unique(np.floor(points / spacing).astype(int), axis=0, return_index=True)
    return first


def _local_frame(source: FloatArray, target: FloatArray, centre: FloatArray) -> FloatArray:
    """Return rotation times scale (3, 3) that maps the neighbourhood of `centre`."""
    weight = np.exp(-((source - centre) ** 2).sum(1) / (2 * FRAME_RADIUS**2))
    near = weight > MIN_FRAME_WEIGHT
    similarity = fit_similarity(source[near], target[near], weight[near])
    frame: FloatArray = np.clip(similarity.scale, MIN_LOCAL_SCALE, MAX_LOCAL_SCALE) * similarity.rotation
    return frame


def locate_on_skin(
    registration: Registration, head: Head, vertices: IntArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find the counterparts of target vertices on the fitted skin: near, with a like normal, on their mouth side.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        vertices: Vertices of the mesh (N,).

    Returns:
        Vertices of the head's triangle (N, 3), barycentric weights (N, 3), and distance (N,) in metres.
    """
    target, fitted = registration.target, registration.fitted
    skin_faces = head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)]
    owner, weight = sample_surface(fitted, skin_faces, SAMPLE_SPACING, max_subdivision=SAMPLE_SUBDIVISION)

    def at_samples(values: FloatArray) -> FloatArray:
        mixed: FloatArray = (values[skin_faces[owner]] * weight[..., None]).sum(1)
        return mixed

    normals = at_samples(vertex_normals(fitted, skin_faces))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    samples = at_samples(fitted)
    side = np.sign(head.mouth_side[skin_faces].sum(1))[owner]
    best = np.zeros(len(vertices), int)
    own_side = target.side[vertices]
    # Each mouth side is searched alone: otherwise the nearest samples could all be on the other lip.
    for mouth_side in (0, 1, -1):
        allowed = np.flatnonzero(side * mouth_side >= 0) if mouth_side else np.arange(len(samples))
        rows = np.flatnonzero(own_side == mouth_side)
        if not len(rows):
            continue
        neighbours = min(NEIGHBOURS, len(allowed))
        own = vertices[rows]
        best[rows] = allowed[
            nearest_with_like_normal(
                samples[allowed], normals[allowed], target.vertices[own], target.normals[own], neighbours
            )
        ]
    corners = skin_faces[owner[best]]
    weights = closest_on_triangles(target.vertices[vertices], fitted[corners])
    nearest = (fitted[corners] * weights[..., None]).sum(1)
    return corners, weights, np.linalg.norm(nearest - target.vertices[vertices], axis=1)


def transfer_to_skin(registration: Registration, head: Head, shapes: FloatArray, vertices: IntArray) -> FloatArray:
    """Transfer shapes to vertices of the mesh by barycentric interpolation on the fitted skin.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        shapes: Offsets (52, H, 3) from adapt_shapes.
        vertices: The vertices of the mesh that may move (N,).

    Returns:
        Offsets (52, V, 3) in the head's frame, metres; 0 for all other vertices.
    """
    basis = np.zeros((len(shapes), len(registration.target.vertices), 3))
    corners, weights, distance = locate_on_skin(registration, head, vertices)
    rows = np.repeat(np.arange(len(vertices)), 3)
    matrix = sparse.csr_matrix((weights.ravel(), (rows, corners.ravel())), shape=(len(vertices), len(head.vertices)))
    flat = matrix @ shapes.transpose(1, 0, 2).reshape(len(head.vertices), -1)
    flat *= 1 - smoothstep(distance, *FADE)[:, None]
    basis[:, vertices] = flat.reshape(len(vertices), len(shapes), 3).transpose(1, 0, 2)
    return basis


def repair_inverted_triangles(target: TargetMesh, basis: FloatArray, poses: Collection[Sequence[int]]) -> FloatArray:
    """Replace the offsets around triangles that turn over by a local affine fit to their surroundings.

    Args:
        target: The mesh.
        basis: Offsets (52, V, 3) in the head's frame. Changed in place.
        poses: Rows of the basis whose sum, at full strength, must not turn triangles over.

    Returns:
        The basis.
    """
    moves = np.abs(basis).max((0, 2)) > MIN_OFFSET
    triangles = target.triangles[moves[target.triangles].any(1) & target.skin]
    graph = adjacency(unique_edges(triangles), len(target.vertices))
    before = triangle_normals(target.vertices, triangles)
    inverted, changed = np.zeros(len(triangles), dtype=bool), np.arange(len(triangles))
    for _ in range(REPAIR_ROUNDS):
        inverted[changed] = False
        for pose in poses:
            after = triangle_normals(target.vertices + basis[list(pose)].sum(0), triangles[changed])
            inverted[changed] |= (before[changed] * after).sum(1) < 0
        vertices = np.unique(triangles[inverted])
        if not len(vertices):
            break
        basis[:, vertices] = _affine_fit(target.vertices, graph, basis, vertices)
        repaired = np.zeros(len(target.vertices), dtype=bool)
        repaired[vertices] = True
        changed = np.flatnonzero(repaired[triangles].any(1))
    return basis


def _affine_fit(points: FloatArray, graph: sparse.csr_matrix, basis: FloatArray, vertices: IntArray) -> FloatArray:
    """Return the value (52, N, 3) at each vertex (N,) of an affine fit to the offsets within two edges of it."""
    rows = (graph[vertices] @ graph + graph[vertices]).tocsr()
    neighbours = np.full((len(vertices), REPAIR_NEIGHBOURS), -1)
    for i in range(len(vertices)):
        near = rows.indices[rows.indptr[i] : rows.indptr[i + 1]]
        squared = ((points[near] - points[vertices[i]]) ** 2).sum(1)
        near = near[np.argsort(squared)[:REPAIR_NEIGHBOURS]]
        neighbours[i, : len(near)] = near
    present = neighbours >= 0
    step = points[neighbours] - points[vertices][:, None]  # (N, M, 3)
    squared = (step**2).sum(-1)
    scale = np.where(present, squared, 0).sum(1, keepdims=True) / np.maximum(present.sum(1, keepdims=True), 1) + 1e-18
    weight = np.where(present, np.exp(-squared / scale), 0)
    design = np.concatenate([np.ones((*step.shape[:2], 1)), step / np.sqrt(scale)[..., None]], axis=-1)
    normal = np.einsum("nm,nmi,nmj->nij", weight, design, design)
    normal = normal + REPAIR_RIDGE * np.eye(4) * weight.sum(1)[:, None, None]
    constant = np.linalg.inv(normal)[:, 0]  # the row that gives the constant term, the value at the vertex itself
    share = np.einsum("ni,nmi,nm->nm", constant, design, weight)
    share /= share.sum(1, keepdims=True)
    fitted: FloatArray = np.einsum("nm,cnmk->cnk", share, basis[:, neighbours])
    return fitted
