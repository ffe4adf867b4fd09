"""Shape transfer: carries the head's shapes over to a registered mesh, vertex by vertex."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from ..numerics import BoolArray, FloatArray, IntArray, lengths, smoothstep
from .geometry import (
    adjacency,
    blend_corners,
    closest_on_triangles,
    nearest_points,
    nearest_with_like_normal,
    sample_surface,
    triangle_normals,
    unique_edges,
    used_vertices,
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
    anchors = _Anchors.of(head)
    frames = _local_frames(anchors, head.vertices.astype(float), registration.fitted)
    frame = (anchors.blend @ frames.reshape(-1, 9)).reshape(-1, 3, 3)
    shapes = np.empty(head.basis.shape)
    for i in range(3):
        row = frame[:, i]
        shapes[..., i] = (
            head.basis[..., 0] * row[:, 0] + head.basis[..., 1] * row[:, 1] + head.basis[..., 2] * row[:, 2]
        )
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


@dataclass(frozen=True)
class _Anchors:
    """The places on the canonical head where local rotations and scales are computed.

    Attributes:
        near: Weights (A, H) of the head's vertices around each of A anchors; their sum is 1.
        blend: Shares (H, A) of the anchors' frames at each vertex of the head.
    """

    near: sparse.csr_matrix
    blend: sparse.csr_matrix

    @staticmethod
    @lru_cache(maxsize=1)
    def of(head: Head) -> "_Anchors":
        """Return the anchors of the canonical head, the same for all meshes."""
        on_face = (head.region != HeadRegion.MOUTH_BAG) & (head.region != HeadRegion.SOCKET)
        skin, vertices = np.flatnonzero((head.part == HeadPart.SKIN) & on_face), head.vertices.astype(float)
        anchors = skin[_one_per_cell(vertices[skin], ANCHOR_SPACING)]
        columns, values = [], []
        for anchor in anchors:
            weight = np.exp(-((vertices[skin] - vertices[anchor]) ** 2).sum(1) / (2 * FRAME_RADIUS**2))
            counts = np.flatnonzero(weight > MIN_FRAME_WEIGHT)
            columns.append(skin[counts])
            values.append(weight[counts] / weight[counts].sum())
        starts = np.cumsum([0, *map(len, columns)])
        shape = len(anchors), len(vertices)
        near = sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), starts), shape=shape)
        distance, nearest = nearest_points(vertices[anchors], vertices, ANCHORS)
        weight = np.exp(-((distance - distance[:, :1]) ** 2) / (2 * ANCHOR_WIDTH**2))
        weight /= weight.sum(1, keepdims=True)
        starts = np.arange(0, nearest.size + 1, ANCHORS)
        blend = sparse.csr_matrix((weight.ravel(), nearest.ravel(), starts), shape=shape[::-1])
        return _Anchors(near, blend)


def _local_frames(anchors: _Anchors, source: FloatArray, target: FloatArray) -> FloatArray:
    """Return rotation times scale (A, 3, 3) of the similarities that map the surroundings of the anchors.

    Each is what `fit_similarity` gives; all are computed at once.

    Args:
        anchors: The anchors.
        source: Vertices of the canonical head (H, 3).
        target: Where they are on the fitted head (H, 3).
    """
    source_mean, target_mean = anchors.near @ source, anchors.near @ target

    def moments(one: FloatArray, other: FloatArray) -> FloatArray:
        products: FloatArray = anchors.near @ (one[:, :, None] * other[:, None]).reshape(-1, 9)
        return products.reshape(-1, 3, 3)

    covariance = moments(target, source) - target_mean[:, :, None] * source_mean[:, None]
    u, singular_values, vt = np.linalg.svd(covariance)
    sign = np.ones((len(u), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))  # rotations, never reflections
    variance = anchors.near @ (source**2).sum(1) - (source_mean**2).sum(1)
    scale = (singular_values * sign).sum(1) / variance
    frames: FloatArray = np.clip(scale, MIN_LOCAL_SCALE, MAX_LOCAL_SCALE)[:, None, None] * ((u * sign[:, None]) @ vt)
    return frames


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

    owners = skin_faces[owner]
    normals = blend_corners(vertex_normals(fitted, skin_faces), owners, weight)
    normals /= np.maximum(lengths(normals), 1e-12)[:, None]
    samples = blend_corners(fitted, owners, weight)
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
    corners = owners[best]
    weights = closest_on_triangles(target.vertices[vertices], fitted[corners])
    nearest = blend_corners(fitted, corners, weights)
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
    share = 1 - smoothstep(distance, *FADE)[:, None]
    for offsets, shape in zip(basis, shapes, strict=True):
        offsets[vertices] = (matrix @ shape) * share
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
    triangles = moving_triangles(target, basis)
    fit = None
    before = triangle_normals(target.vertices, triangles)
    inverted, changed = np.zeros(len(triangles), dtype=bool), np.arange(len(triangles))
    for _ in range(REPAIR_ROUNDS):
        inverted[changed] = False
        for pose in poses:
            inverted[changed] |= turned(target.vertices, basis, pose, triangles[changed], before[changed])
        vertices = used_vertices(triangles[inverted], len(target.vertices))
        if not len(vertices):
            break
        fit = fit or _AffineFit(target.vertices, triangles)
        basis[:, vertices] = fit.values(basis, vertices)
        repaired = np.zeros(len(target.vertices), dtype=bool)
        repaired[vertices] = True
        changed = np.flatnonzero(repaired[triangles].any(1))
    return basis


def moving_triangles(target: TargetMesh, basis: FloatArray) -> IntArray:
    """Return the triangles (T, 3) of the skin of which a vertex moves; basis (52, V, 3)."""
    most = np.maximum(basis.max(0), -basis.min(0)).max(1)
    triangles: IntArray = target.triangles[(most > MIN_OFFSET)[target.triangles].any(1) & target.skin]
    return triangles


def turned(
    vertices: FloatArray, basis: FloatArray, pose: Sequence[int], triangles: IntArray, before: FloatArray
) -> BoolArray:
    """Return which triangles (T,) a pose turns by more than 90 degrees.

    Args:
        vertices: Vertices (V, 3).
        basis: Offsets (52, V, 3).
        pose: Rows of the basis whose sum is the pose.
        triangles: Triangles (T, 3).
        before: Their normals at rest (T, 3).
    """
    used = used_vertices(triangles, len(vertices))
    local = np.zeros(len(vertices), triangles.dtype)
    local[used] = np.arange(len(used))
    after = triangle_normals(vertices[used] + sum(basis[row, used] for row in pose), local[triangles])
    is_turned: BoolArray = (before * after).sum(1) < 0
    return is_turned


class _AffineFit:
    """Affine fits to the offsets within two edges of vertices.

    Args:
        points: Vertices (V, 3).
        triangles: Triangles (T, 3).
    """

    def __init__(self, points: FloatArray, triangles: IntArray):
        self.points = points
        self.graph = adjacency(unique_edges(triangles), len(points))
        self.row = np.full(len(points), -1)  # of a vertex in the following arrays, where it has one
        self.neighbours = np.empty((0, REPAIR_NEIGHBOURS), int)
        self.share = np.empty((0, REPAIR_NEIGHBOURS))  # of these neighbours in the value at the vertex

    def values(self, basis: FloatArray, vertices: IntArray) -> FloatArray:
        """Return the value (52, N, 3) at each vertex (N,) of the fit to the offsets (52, V, 3) around it."""
        new = vertices[self.row[vertices] < 0]
        if len(new):
            self.row[new] = len(self.share) + np.arange(len(new))
            neighbours = self._neighbours(new)
            self.neighbours = np.concatenate([self.neighbours, neighbours])
            self.share = np.concatenate([self.share, self._shares(new, neighbours)])
        rows = self.row[vertices]
        fitted: FloatArray = np.einsum("nm,cnmk->cnk", self.share[rows], basis[:, self.neighbours[rows]])
        return fitted

    def _neighbours(self, vertices: IntArray) -> IntArray:
        """Return the nearest of the vertices within two edges of each vertex (N,), padded with -1."""
        rows = (self.graph[vertices] @ self.graph + self.graph[vertices]).tocsr()
        neighbours = np.full((len(vertices), REPAIR_NEIGHBOURS), -1)
        for i in range(len(vertices)):
            near = rows.indices[rows.indptr[i] : rows.indptr[i + 1]]
            squared = ((self.points[near] - self.points[vertices[i]]) ** 2).sum(1)
            near = near[np.argsort(squared)[:REPAIR_NEIGHBOURS]]
            neighbours[i, : len(near)] = near
        return neighbours

    def _shares(self, vertices: IntArray, neighbours: IntArray) -> FloatArray:
        """Return the share of each of the neighbours (N, M) in the value of the fit at the vertices (N,)."""
        present = neighbours >= 0
        step = self.points[neighbours] - self.points[vertices][:, None]  # (N, M, 3)
        squared = (step**2).sum(-1)
        scale = (
            np.where(present, squared, 0).sum(1, keepdims=True) / np.maximum(present.sum(1, keepdims=True), 1) + 1e-18
        )
        weight = np.where(present, np.exp(-squared / scale), 0)
        design = np.concatenate([np.ones((*step.shape[:2], 1)), step / np.sqrt(scale)[..., None]], axis=-1)
        normal = np.einsum("nm,nmi,nmj->nij", weight, design, design)
        normal = normal + REPAIR_RIDGE * np.eye(4) * weight.sum(1)[:, None, None]
        constant = np.linalg.inv(normal)[:, 0]  # the row that gives the constant term, the value at the vertex itself
        share: FloatArray = np.einsum("ni,nmi,nm->nm", constant, design, weight)
        share /= share.sum(1, keepdims=True)
        return share
