"""Registration of the canonical head to a mesh: similarity and identity, then non-rigid ICP (iterative closest point).

Everything here is in the head's frame (metres, Z up, facing −Y): a similarity brings the mesh there.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ..numerics import BoolArray, FloatArray, IntArray
from .eyelids import detect_eyelids
from .geometry import (
    Similarity,
    StretchedSimilarity,
    fit_similarity,
    interpolate_offsets,
    uniform_laplacian,
    unique_edges,
    vertex_normals,
)
from .head import INNER_LANDMARKS, JAW_LINE, LANDMARK_COUNT, Head, HeadPart, HeadRegion
from .mouth_sides import mouth_sides
from .target_mesh import TargetMesh

IS_JAW_LINE = np.arange(LANDMARK_COUNT) < JAW_LINE.stop
ROUNDS = 5  # of closest points in `align`
IDENTITY_PRIOR = 1.0  # weight of |coefficients|², relative to squared distances in units of NOISE
NOISE = 0.003  # metres: expected error of a landmark or a surface point
OUTLIER = np.where(IS_JAW_LINE, 0.01, 0.025)  # metres: landmarks with a larger error hardly count
SURFACE_IN_IDENTITY = 60.0  # weight of all surface points together, where a landmark has 1
SURFACE_IN_SIMILARITY = 40.0  # the same for the similarity
MAX_DISTANCE = 0.03  # metres between corresponding points in `align`
SAMPLE_RADIUS = 0.23  # metres from the face within which the mesh is sampled
INNER_FACE_RADIUS = 0.085  # metres from the mean of the inner landmarks; the fit is measured within it
JAW_WEIGHT = 0.15  # of detected landmarks along the jaw line, which is badly defined
FIXED_IN_IDENTITY = 2.0  # weight of landmarks that an artist placed, in `align`
FIXED_STIFFNESS = 300  # their weight in non-rigid ICP, as a multiple of the stiffness: they are met
FIXED_WIDTH = 0.02  # metres: distance over which the skin follows a placed landmark
# Non-rigid ICP: stiffness, weight of landmarks, greatest distance (metres) of corresponding points.
SCHEDULE = (
    (100, 3, 0.03),
    (60, 2, 0.025),
    (35, 1.5, 0.02),
    (20, 1.2, 0.015),
    (10, 1, 0.012),
    (6, 1, 0.01),
    (4, 1, 0.008),
)
SIDES_FROM = 2  # first iteration of SCHEDULE that is near enough to tell upper from lower lip
LANDMARK_PULL = 4  # weight of a landmark with weight 1 in SCHEDULE, where a surface point has 1
NECK_CONFIDENCE = 0.3  # weight of surface points on the neck
TANGENTIAL_SHARE = 0.05  # of a correspondence's pull along the surface; the rest acts along the normal alone
DAMPING = 1e-4  # weight of staying where a vertex is, so that the system is regular


@dataclass
class Alignment:
    """The head, brought to a mesh by a similarity and identity coefficients.

    Attributes:
        to_mesh: Transform from the head's frame to the mesh's.
        identity: Identity coefficients (50,).
        shape: The head with this identity (H, 3), in its frame.
        landmarks: The mesh's landmarks (68, 3), in the head's frame.
        weight: Their weights (68,), 0 to 2.
        fixed: The landmarks (68,) that the fit must go through.
        target: The mesh, in the head's frame.
        residual: Mean distance to the surface over the inner face, metres.
        unmatched: Share of the inner face without a counterpart on the surface.
    """

    to_mesh: Similarity
    identity: FloatArray
    shape: FloatArray
    landmarks: FloatArray
    weight: FloatArray
    fixed: BoolArray
    target: TargetMesh
    residual: float
    unmatched: float


@dataclass
class Registration:
    """The head, deformed to a mesh.

    Attributes:
        to_mesh: Transform from the head's frame to the mesh's.
        identity: Identity coefficients (50,).
        fitted: The whole head, loose parts included (H, 3), in the head's frame.
        target: The mesh, in the head's frame.
        residual: As in Alignment.
        unmatched: As in Alignment.
    """

    to_mesh: Similarity | StretchedSimilarity
    identity: FloatArray
    fitted: FloatArray
    target: TargetMesh
    residual: float
    unmatched: float


def align(
    vertices: FloatArray,
    triangles: IntArray,
    landmarks: FloatArray,
    skin: BoolArray,
    head: Head,
    weight: FloatArray | None = None,
    fixed: BoolArray | None = None,
) -> Alignment:
    """Fit similarity and identity of the head to a mesh, by closest points with like normals and robust landmarks.

    Args:
        vertices: Vertices (V, 3) in mesh units.
        triangles: Triangles (T, 3).
        landmarks: Landmarks (68, 3) in mesh units.
        skin: Triangles of the piece that carries the face (T,).
        head: The canonical head.
        weight: Weight of each landmark (68,), 0 to 1; 1 by default.
        fixed: Landmarks (68,) that an artist placed; none by default.

    Raises:
        LSFError: "no_face" if there is no skin where the face should be.
    """
    fixed = np.zeros(LANDMARK_COUNT, dtype=bool) if fixed is None else fixed
    given_weight = np.ones(LANDMARK_COUNT) if weight is None else weight.copy()
    initial_weight = np.where(IS_JAW_LINE & ~fixed, 1e-3, given_weight)
    given_weight[JAW_LINE] *= JAW_WEIGHT
    given_weight[fixed] = 1
    # The mesh is sampled once, in the frame of this first similarity.
    first = fit_similarity(head.landmarks68, landmarks, initial_weight)
    target = TargetMesh(
        first.apply_inverse(vertices),
        triangles,
        vertex_normals(vertices, triangles) @ first.rotation,
        np.zeros(len(vertices), int),
        skin,
    )
    marks = first.apply_inverse(landmarks)
    shape, inner = head.vertices, inner_face(head)
    faces = head.faces[np.isin(head.faces, inner).any(1)]
    target.sample(shape[inner].mean(0), SAMPLE_RADIUS)
    to_target = Similarity(1.0, np.eye(3), np.zeros(3))  # from the head's frame to the target's
    for iteration in range(ROUNDS):
        points = to_target.apply(shape[inner])
        normals = vertex_normals(shape, faces)[inner] @ to_target.rotation.T
        if iteration == 0 and normals_point_inward(target, points, normals):
            target.flip_normals()
        matched, goal, direction = _counterparts(target, to_target, points, normals)
        used = inner[matched]
        residual = float(np.abs(((goal - shape[used]) * direction).sum(1)).mean()) if matched.any() else np.inf
        unmatched = float(1 - matched.mean())
        aims = to_target.apply_inverse(marks)
        errors = np.linalg.norm(aims - shape[head.landmark_vertices], axis=1)
        robust = np.where(fixed, FIXED_IN_IDENTITY, given_weight / (1 + (errors / OUTLIER) ** 2) ** 2)
        identity = solve_identity(head, aims, robust, used, goal, direction)
        shape = head.with_identity(identity)
        source = np.concatenate([shape[head.landmark_vertices], shape[used]])
        weights = np.concatenate([robust, np.full(len(used), SURFACE_IN_SIMILARITY / max(len(used), 1))])
        to_target = to_target.after(fit_similarity(source, np.concatenate([aims, goal]), weights))
    target.change_frame(to_target)
    marks = to_target.apply_inverse(marks)
    return Alignment(first.after(to_target), identity, shape, marks, robust, fixed, target, residual, unmatched)


def _counterparts(
    target: TargetMesh, to_target: Similarity, points: FloatArray, normals: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Return which points (N, 3) have a counterpart on the target (N,), and these (M, 3) in the head's frame.

    The points and their normals (N, 3) are in the target's frame. The third array has the counterparts' normals (M, 3).
    """
    match = target.find_correspondences(points, normals, MAX_DISTANCE * to_target.scale)
    matched = match >= 0
    goal = to_target.apply_inverse(target.points[match[matched]])
    direction: FloatArray = target.point_normals[match[matched]] @ to_target.rotation
    return matched, goal, direction


def deform(alignment: Alignment, head: Head) -> Registration:
    """Deform the aligned head to the mesh, with the lids on the borders of the eyes' openings where these are seen.

    Args:
        alignment: The aligned head. Its target gets the mouth sides.
        head: The canonical head.
    """
    target, fixed, shape = alignment.target, alignment.fixed, alignment.shape
    landmarks, weight = alignment.landmarks.copy(), alignment.weight.copy()
    eyelids, detected = detect_eyelids(target, landmarks)
    detected &= ~fixed
    landmarks[detected], weight[detected] = eyelids[detected], 1
    if fixed.any():
        positions = shape[head.landmark_vertices[fixed]]
        skin = head.part == HeadPart.SKIN
        shape = shape.copy()
        shape[skin] += interpolate_offsets(landmarks[fixed] - positions, positions, shape[skin], FIXED_WIDTH)
    fitted = nonrigid_icp(head, shape, landmarks, weight, fixed, target)
    return Registration(alignment.to_mesh, alignment.identity, fitted, target, alignment.residual, alignment.unmatched)


def inner_face(head: Head) -> IntArray:
    """Return the skin vertices (N,) of the face, without inner mouth, eye sockets, skull and neck."""
    near = np.linalg.norm(head.vertices - head.landmarks68[INNER_LANDMARKS].mean(0), axis=1) < INNER_FACE_RADIUS
    hidden = np.isin(head.region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET))
    return np.flatnonzero(near & (head.part == HeadPart.SKIN) & ~hidden)


def normals_point_inward(target: TargetMesh, points: FloatArray, normals: FloatArray) -> bool:
    """Return whether most normals of the target oppose those (N, 3) of points (N, 3) on the aligned head."""
    _, index = target.nearest_samples(points)
    return bool(np.median((target.point_normals[index] * normals).sum(1)) < 0)


def solve_identity(
    head: Head,
    landmarks: FloatArray,
    landmark_weight: FloatArray,
    vertices: IntArray,
    goal: FloatArray,
    direction: FloatArray,
) -> FloatArray:
    """Return the identity coefficients (50,) by ridge regression on landmarks and point-to-plane distances.

    Args:
        head: The canonical head.
        landmarks: Wanted landmarks (68, 3), metres.
        landmark_weight: Their weights (68,).
        vertices: Head vertices (N,) with a corresponding point.
        goal: The corresponding points (N, 3), metres.
        direction: Unit normals of the planes through them (N, 3).
    """
    modes, count = head.identity_modes, len(head.identity_modes)
    at_landmarks = modes[:, head.landmark_vertices].astype(float)
    rows = [at_landmarks.reshape(count, -1).T * np.repeat(landmark_weight, 3)[:, None] ** 0.5]
    wanted = [((landmarks - head.landmarks68) * landmark_weight[:, None] ** 0.5).ravel()]
    if len(vertices):
        weight = (SURFACE_IN_IDENTITY / len(vertices)) ** 0.5
        rows.append(np.einsum("kvi,vi->vk", modes[:, vertices].astype(float), direction) * weight)
        wanted.append(((goal - head.vertices[vertices]) * direction).sum(1) * weight)
    a, b = np.concatenate(rows) / NOISE, np.concatenate(wanted) / NOISE
    return np.linalg.solve(a.T @ a + IDENTITY_PRIOR * np.eye(count), a.T @ b)


def nonrigid_icp(
    head: Head,
    shape: FloatArray,
    landmarks: FloatArray,
    landmark_weight: FloatArray,
    fixed: BoolArray,
    target: TargetMesh,
) -> FloatArray:
    """Deform the head's skin to the target by non-rigid ICP with a Laplacian prior.

    The bi-Laplacian of the displacement is kept small, less so in each iteration of SCHEDULE (after Amberg et al.,
    "Optimal Step Nonrigid ICP Algorithms for Surface Registration", 2007). Points may slide along the surface. Mouth
    bag and sockets follow; eyes, teeth, gums and tongue are moved rigidly with the skin around them.

    Args:
        head: The canonical head.
        shape: Its aligned vertices (H, 3), metres.
        landmarks: Wanted landmarks (68, 3), metres.
        landmark_weight: Their weights (68,).
        fixed: Landmarks (68,) that must be met.
        target: The mesh. Its `side` is set.

    Returns:
        The deformed head (H, 3), metres.
    """
    skin = np.flatnonzero(head.part == HeadPart.SKIN)  # a prefix of the vertices
    faces, bending = _bending(head)
    region, side = head.region[skin], head.mouth_side[skin]
    candidates = np.flatnonzero(~np.isin(region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET)))
    confidence = np.where(region == HeadRegion.NECK, NECK_CONFIDENCE, 1.0)
    fitted = shape[skin].copy()
    for iteration, (stiffness, landmark_strength, max_distance) in enumerate(SCHEDULE):
        if iteration == SIDES_FROM:
            target.side = mouth_sides(target, head, fitted)
        known_sides = side[candidates] if iteration >= SIDES_FROM else None
        normals = vertex_normals(fitted, faces)
        match = target.find_correspondences(fitted[candidates], normals[candidates], max_distance, known_sides)
        used, match = candidates[match >= 0], match[match >= 0]
        goal = _sliding_goal(fitted[used], target.points[match], target.point_normals[match])
        weight, aim = np.zeros(len(skin)), np.zeros_like(fitted)
        weight[used] = confidence[used]
        aim[used] = goal * confidence[used, None]
        pull = np.where(fixed, FIXED_STIFFNESS * stiffness, landmark_strength * LANDMARK_PULL * landmark_weight)
        np.add.at(weight, head.landmark_vertices, pull)
        np.add.at(aim, head.landmark_vertices, landmarks * pull[:, None])
        system = sparse.diags(weight + DAMPING) + stiffness * bending
        right = aim + DAMPING * shape[skin] + stiffness * (bending @ shape[skin])
        fitted = _solve_symmetric(system.tocsc(), right)
    target.side = mouth_sides(target, head, fitted)
    return move_parts_with_skin(head, shape, fitted)


@lru_cache(maxsize=1)
def _bending(head: Head) -> tuple[IntArray, sparse.csc_matrix]:
    """Return the faces of the head's skin (T, 3) and its bi-Laplacian (S, S), the same for all meshes."""
    count = int((head.part == HeadPart.SKIN).sum())
    faces = head.faces[(head.faces < count).all(1)]
    laplacian = uniform_laplacian(unique_edges(faces), count)
    return faces, (laplacian.T @ laplacian).tocsc()


def _solve_symmetric(system: sparse.csc_matrix, right: FloatArray) -> FloatArray:
    """Solve a sparse symmetric positive definite system (N, N) for right-hand sides (N, 3)."""
    factors = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solution: FloatArray = factors.solve(right)
    return solution


def _sliding_goal(points: FloatArray, goal: FloatArray, direction: FloatArray) -> FloatArray:
    """Return goals (N, 3) mostly along the normals (N, 3) of the target, so that points slide along its surface."""
    along_normal: FloatArray = points + (1 - TANGENTIAL_SHARE) * direction * ((goal - points) * direction).sum(
        1, keepdims=True
    )
    return along_normal + TANGENTIAL_SHARE * (goal - along_normal)


def move_parts_with_skin(head: Head, shape: FloatArray, fitted_skin: FloatArray) -> FloatArray:
    """Move the loose parts by the similarity of the skin around them: eyes with the lids, the rest with the mouth.

    Args:
        head: The canonical head.
        shape: Its vertices before the deformation (H, 3).
        fitted_skin: Its skin after the deformation (S, 3).

    Returns:
        The whole head after the deformation (H, 3).
    """
    skin = np.flatnonzero(head.part == HeadPart.SKIN)
    whole = shape.astype(float).copy()
    whole[skin] = fitted_skin
    region = head.region[skin]
    lids = np.isin(region, (HeadRegion.LID_UPPER, HeadRegion.LID_LOWER))
    lips = np.isin(region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    around_mouth = lips | (np.abs(head.mouth_side[skin]) > 0) & (region == HeadRegion.FACE)
    surroundings = {
        HeadPart.EYE_LEFT: lids & (head.vertices[skin, 0] > 0),
        HeadPart.EYE_RIGHT: lids & (head.vertices[skin, 0] < 0),
    }
    for part in HeadPart:
        if part == HeadPart.SKIN:
            continue
        around = surroundings.get(part, around_mouth)
        moved = fit_similarity(shape[skin][around], fitted_skin[around])
        members = head.part == part
        whole[members] = moved.apply(shape[members])
    return whole
