"""Fit the canonical head to a mesh: similarity and identity first, then a smooth non-rigid refinement.

Everything here lives in the head's frame (metres, Z up, facing -Y): the mesh is brought there by a similarity.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from . import head as h
from .geometry import edges_of, laplacian, sample_surface, similarity, spread
from .mouth_sides import mouth_sides
from .eyelids import see_lids
from .raster import vertex_normals
from .refusals import no_face

JAW = np.arange(17)
IDENTITY_PRIOR = 1.0  # multiplies |coefficients|², against squared distances in units of NOISE
NOISE = 0.003  # metres: what a landmark or a surface point is expected to miss by
OUTLIER = np.where(np.arange(68) < 17, 0.01, 0.025)  # metres: a landmark that misses by more is hardly believed
# Non-rigid iterations: stiffness, landmark weight, and how far (metres) a surface point may be.
SCHEDULE = (
    (100, 3, 0.03),
    (60, 2, 0.025),
    (35, 1.5, 0.02),
    (20, 1.2, 0.015),
    (10, 1, 0.012),
    (6, 1, 0.01),
    (4, 1, 0.008),
)
LEAST_COSINE = 0.6  # between normals of points that may correspond
SAMPLE_SPACING, SAMPLE_REACH = 0.002, 0.23  # metres between points of the surface, and how far from the face
SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}  # of splu
JAW_TRUST, BOUND = 0.15, 300  # weights of found points along the jaw, and of those that an artist placed
BOUND_REACH = 0.02  # metres: over this distance the skin follows where an artist says that a landmark is


@dataclass
class Target:
    """The user's mesh in the head's frame, with a search tree over points of its surface near the face."""

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    side: np.ndarray  # (V,) mouth side as in Head.mouth_side, 0 until known
    skin: np.ndarray  # (T,) bool: triangles of the piece that carries the face

    def sample(self, centre, reach):
        near = ((self.vertices - centre) ** 2).sum(1) < reach**2
        near = self.skin & near[self.triangles].any(1)
        if not near.any():
            raise no_face()
        self.kept_triangles = self.triangles[near]
        self.owner, weight = sample_surface(self.vertices, self.kept_triangles, SAMPLE_SPACING)
        corners = self.kept_triangles[self.owner]
        self.points = np.einsum("nki,nk->ni", self.vertices[corners], weight)
        normals = np.einsum("nki,nk->ni", self.normals[corners], weight)
        self.point_normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        self.tree = cKDTree(self.points)

    def flip(self):
        """Turn the normals round."""
        self.normals, self.point_normals = -self.normals, -self.point_normals

    def move_to(self, frame):
        """Into the frame that `frame`, a Frame, leads from to the present one."""
        self.vertices, self.points = frame.back(self.vertices), frame.back(self.points)
        self.normals, self.point_normals = self.normals @ frame.rotation, self.point_normals @ frame.rotation
        self.tree = cKDTree(self.points)

    def closest(self, points, normals, reach, side=None, neighbours=8):
        """Index of the best surface point for each given point (nearest among those with a like normal), -1 if none."""
        distance, index = self.tree.query(points, k=neighbours, distance_upper_bound=reach)
        found = index < len(self.points)
        index = np.where(found, index, 0)
        cosine = np.einsum("nki,ni->nk", self.point_normals[index], normals)
        usable = found & (cosine > LEAST_COSINE)
        if side is not None:
            triangle_side = np.sign(self.side[self.kept_triangles].sum(1))
            usable &= triangle_side[self.owner[index]] * side[:, None] >= 0
        score = np.where(usable, distance + 0.004 * (1 - cosine), np.inf)
        best = score.argmin(1)
        rows = np.arange(len(points))
        return np.where(np.isfinite(score[rows, best]), index[rows, best], -1)


@dataclass(frozen=True)
class Frame:
    """A similarity: there = scale * here @ rotation.T + shift."""

    scale: float
    rotation: np.ndarray
    shift: np.ndarray

    def there(self, points):
        return self.scale * points @ self.rotation.T + self.shift

    def back(self, points):
        return (points - self.shift) @ self.rotation / self.scale

    def after(self, first: "Frame") -> "Frame":
        """Both, `first` first."""
        return Frame(self.scale * first.scale, self.rotation @ first.rotation, self.there(first.shift))


@dataclass
class Alignment:
    """The head brought to a mesh by a similarity and an identity."""

    frame: Frame  # from the head's frame to the mesh's
    identity: np.ndarray  # (50,)
    shape: np.ndarray  # (Vh, 3) the head with this identity, in its frame
    marks: np.ndarray  # (68, 3) the landmarks, in the head's frame
    trust: np.ndarray  # (68,) their weights
    bound: np.ndarray  # (68,) bool: the fit must go through them
    target: Target
    residual: float  # metres: mean distance to the surface over the inner face
    unmatched: float  # share of the inner face without a counterpart on the surface


@dataclass
class Registration:
    """The head fitted to a mesh, all in the head's frame."""

    frame: Frame  # from the head's frame to the mesh's
    identity: np.ndarray  # (50,)
    fitted: np.ndarray  # (Vh, 3) the whole head, parts included, in the head's frame
    target: Target
    residual: float  # as in Alignment
    unmatched: float


def align(vertices, triangles, landmarks, skin, head: h.Head, trust=None, bound=None) -> Alignment:
    """Vertices (V, 3), landmarks (68, 3) in mesh units; skin (T,) bool, triangles of the piece with the face.

    trust (68,) 0..1 of landmarks that were found; bound (68,) bool: placed by an artist, the fit must go through them.
    """
    bound = np.zeros(68, dtype=bool) if bound is None else bound
    trust = np.ones(68) if trust is None else trust.copy()
    inner_marks = np.where(np.isin(np.arange(68), JAW) & ~bound, 1e-3, trust)
    trust[JAW] *= JAW_TRUST
    trust[bound] = 1
    first = Frame(*similarity(head.landmarks68, landmarks, inner_marks))  # the mesh is sampled once, in this frame
    target = Target(
        first.back(vertices),
        triangles,
        vertex_normals(vertices, triangles) @ first.rotation,
        np.zeros(len(vertices), int),
        skin,
    )
    marks = first.back(landmarks)
    shape, inner = head.vertices, inner_face(head)
    target.sample(shape[inner].mean(0), SAMPLE_REACH)
    frame = Frame(1.0, np.eye(3), np.zeros(3))  # from the head's frame to the target's, improved in each round
    for iteration in range(5):
        own_normals = vertex_normals(shape, head.faces)[inner] @ frame.rotation.T
        if iteration == 0 and inverted(target, frame.there(shape[inner]), own_normals):
            target.flip()
        match = target.closest(frame.there(shape[inner]), own_normals, 0.03 * frame.scale)
        good = match >= 0
        used, goal = inner[good], frame.back(target.points[match[good]])
        direction = target.point_normals[match[good]] @ frame.rotation
        residual = float(np.abs(((goal - shape[used]) * direction).sum(1)).mean()) if good.any() else np.inf
        unmatched = float(1 - good.mean())
        aims = frame.back(marks)
        misses = np.linalg.norm(aims - shape[head.landmark_vertices], axis=1)
        weight = np.where(bound, 2, trust / (1 + (misses / OUTLIER) ** 2) ** 2)
        identity = solve_identity(head, aims, weight, used, goal, direction)
        shape = head.with_identity(identity)
        # A similarity step from the new shape to what it should match.
        source = np.concatenate([shape[head.landmark_vertices], shape[used]])
        share = np.concatenate([weight, np.full(len(used), 40 / max(len(used), 1))])
        frame = frame.after(Frame(*similarity(source, np.concatenate([aims, goal]), share)))
    target.move_to(frame)
    return Alignment(first.after(frame), identity, shape, frame.back(marks), weight, bound, target, residual, unmatched)


def deform(alignment: Alignment, head: h.Head) -> Registration:
    """Bend the aligned head to the mesh; the lids to the openings of the eyes where these are seen."""
    target, bound, shape = alignment.target, alignment.bound, alignment.shape
    marks, weight = alignment.marks.copy(), alignment.trust.copy()
    marks_seen, seen = see_lids(target, marks)
    seen &= ~bound
    marks[seen], weight[seen] = marks_seen[seen], 1
    if bound.any():
        places = shape[head.landmark_vertices[bound]]
        skin = head.part == h.SKIN
        shape = shape.copy()
        shape[skin] += spread(marks[bound] - places, places, shape[skin], BOUND_REACH)
    fitted = refine(head, shape, marks, weight, bound, target)
    return Registration(alignment.frame, alignment.identity, fitted, target, alignment.residual, alignment.unmatched)


def inner_face(head):
    """Skin of the face without inner mouth, sockets, skull and neck."""
    near = np.linalg.norm(head.vertices - head.landmarks68[17:].mean(0), axis=1) < 0.085
    return np.flatnonzero(near & (head.part == h.SKIN) & ~np.isin(head.region, (h.MOUTH_BAG, h.SOCKET)))


def inverted(target, points, normals):
    """Do the mesh's normals point inwards?"""
    _, index = target.tree.query(points)
    return np.median((target.point_normals[index] * normals).sum(1)) < 0


def solve_identity(head, marks, mark_weight, used, goal, direction):
    """Ridge regression of the identity coefficients on landmarks and point-to-plane distances."""
    modes = head.identity_modes.astype(float)
    count = len(modes)
    rows = [modes[:, head.landmark_vertices].reshape(count, -1).T * np.repeat(mark_weight, 3)[:, None] ** 0.5]
    wanted = [((marks - head.landmarks68) * mark_weight[:, None] ** 0.5).ravel()]
    if len(used):
        weight = (60 / len(used)) ** 0.5
        rows.append(np.einsum("kvi,vi->vk", modes[:, used], direction) * weight)
        wanted.append(((goal - head.vertices[used]) * direction).sum(1) * weight)
    a, b = np.concatenate(rows) / NOISE, np.concatenate(wanted) / NOISE
    return np.linalg.solve(a.T @ a + IDENTITY_PRIOR * np.eye(count), a.T @ b)


def refine(head, shape, marks, trust, bound, target):
    """Laplacian non-rigid ICP of the skin; the other parts follow the skin around them. Returns all vertices."""
    skin = np.flatnonzero(head.part == h.SKIN)  # a prefix of the vertices
    faces = head.faces[(head.faces < len(skin)).all(1)]
    region, side = head.region[skin], head.mouth_side[skin]
    edges = edges_of(faces)
    smooth = laplacian(edges, len(skin))
    bending = (smooth.T @ smooth).tocsc()
    matched = ~np.isin(region, (h.MOUTH_BAG, h.SOCKET))
    confidence = np.where(region == h.NECK, 0.3, 1.0)
    mark_rows = head.landmark_vertices
    fitted = shape[skin].copy()
    for step, (stiffness, mark_strength, reach) in enumerate(SCHEDULE):
        if step == 2:
            target.side = mouth_sides(target, head, fitted)
        normals = vertex_normals(fitted, faces)
        candidates = np.flatnonzero(matched)
        match = target.closest(fitted[candidates], normals[candidates], reach, side[candidates] if step >= 2 else None)
        used, goal = candidates[match >= 0], target.points[match[match >= 0]]
        direction = target.point_normals[match[match >= 0]]
        # Mostly along the target's normal, so that the surface may slide.
        slide = fitted[used] + 0.95 * direction * ((goal - fitted[used]) * direction).sum(1, keepdims=True)
        goal = slide + 0.05 * (goal - slide)
        weight = np.zeros(len(skin))
        weight[used] = confidence[used]
        aim = np.zeros_like(fitted)
        aim[used] = goal * confidence[used, None]
        pull = np.where(bound, BOUND * stiffness, mark_strength * 4 * trust)
        np.add.at(weight, mark_rows, pull)
        np.add.at(aim, mark_rows, marks * pull[:, None])
        system = sparse.diags(weight + 1e-4) + stiffness * bending
        right = aim + 1e-4 * shape[skin] + stiffness * (bending @ shape[skin])
        fitted = splu(system.tocsc(), **SYMMETRIC).solve(right)
    target.side = mouth_sides(target, head, fitted)
    return carry_parts(head, shape, skin, fitted)


def carry_parts(head, shape, skin, fitted):
    """Eyes as rigid balls, teeth, gums and tongue as one piece, by a similarity from the skin around them."""
    whole = shape.astype(float).copy()
    whole[skin] = fitted
    region = head.region[skin]
    rims = {
        h.EYE_LEFT: np.isin(region, (h.LID_UPPER, h.LID_LOWER)) & (head.vertices[skin, 0] > 0),
        h.EYE_RIGHT: np.isin(region, (h.LID_UPPER, h.LID_LOWER)) & (head.vertices[skin, 0] < 0),
    }
    mouth = np.isin(region, (h.LIP_UPPER, h.LIP_LOWER)) | (np.abs(head.mouth_side[skin]) > 0) & (region == h.FACE)
    for part in range(1, len(h.PARTS)):
        around = rims.get(part, mouth)
        scale, rotation, shift = similarity(shape[skin][around], fitted[around])
        members = head.part == part
        whole[members] = scale * shape[members] @ rotation.T + shift
    return whole
