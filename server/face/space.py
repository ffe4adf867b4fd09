"""The face space of a mesh: `fit` finds the face and gives the mesh 52 ARKit shapes, landmarks and an identity."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..arkit import channel_indices
from ..errors import LSFError
from ..numerics import FloatArray, IntArray
from . import eyelids, mouth_seam, neutral, parts
from .geometry import fit_similarity, nearest_points, triangle_normals, used_vertices
from .head import INNER_LANDMARKS, LANDMARK_COUNT, LIP_SEAMS, MOUTH_LANDMARKS, Head, load_head
from .landmark_constraints import check_landmarks, placed_mask
from .localisation import MIN_CONFIDENCE, MIN_FACE_VERTICES, locate_face
from .registration import Registration
from .seam_closure import keep_lip_distance
from .shape_transfer import adapt_shapes, moving_triangles, repair_inverted_triangles, transfer_to_skin, turned
from .target_mesh import TargetMesh

FACE_RADIUS = 0.15  # metres on a head of ordinary size: the front half of a head; its vertices are counted
MOTION_RADIUS = 0.24  # metres around the middle of the face; nothing beyond moves
SAME_MESH = 1e-5  # metres: a mesh whose vertices all lie this near to the canonical head is that head
SAME_LANDMARK = 1e-3  # metres: a landmark placed this near to that head's own landmark is the same
SNAP_DISTANCE = 0.01  # metres: landmarks this near to the mesh are moved onto its surface
MAX_DOUBTS = 20  # that are reported
LOCATED, FITTED = 0.4, 0.7  # share of the duration of a fit that has passed after these steps
# Poses at full strength in which triangles must not turn over: the rows of the basis to add.
POSES = {
    "jawOpen": tuple(channel_indices("jawOpen")),
    "mouthPucker": tuple(channel_indices("mouthPucker")),
    "mouthSmile": tuple(channel_indices("mouthSmile")),
    "mouthClose": tuple(channel_indices("jawOpen") + channel_indices("mouthClose")),
}

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class FaceSpace:
    """The shapes of a mesh: offset[f] = Σₖ motion[f, k] · basis[k], in the mesh's own units and vertex order.

    Attributes:
        channels: Names of the K channels, server.arkit.CHANNELS and whatever `fit` was given besides.
        basis: Offsets of each channel at value 1 (K, V, 3).
        landmarks68: Landmarks on the surface (68, 3).
        landmark_vertices: The vertex nearest to each landmark (68,).
        identity: Identity coefficients (50,), standard normal over the population.
        parts: Part of each vertex (V,): parts.SKIN and so on.
        fitted: The canonical head, deformed to the mesh (H, 3), in its own frame: metres on a head of ordinary size.
        report: How well the fit went; docs/face.md describes it. JSON values only.
    """

    channels: tuple[str, ...]
    basis: NDArray[np.float32]
    landmarks68: NDArray[np.float32]
    landmark_vertices: NDArray[np.int32]
    identity: NDArray[np.float32]
    parts: NDArray[np.int32]
    fitted: NDArray[np.float32]
    report: dict[str, Any]


def fit(
    vertices: ArrayLike,
    triangles: ArrayLike,
    landmarks: ArrayLike | None = None,
    given_parts: ArrayLike | None = None,
    progress: Progress = lambda fraction, text: None,
    further: Mapping[str, FloatArray] | None = None,
) -> FaceSpace:
    """Find the face on a neutral mesh and give it the 52 ARKit shapes.

    It runs in one thread. Several threads add up in another order, and the rounding of a closest point decides which
    vertex it is: the results of two machines would be up to .6 mm apart.

    Args:
        vertices: Vertices (V, 3) in any unit, Z up and facing −Y unless the landmarks say otherwise.
        triangles: Triangles (T, 3).
        landmarks: Landmarks (68, 3) that an artist placed, in the same unit, NaN where they are to be detected.
        given_parts: Part that an artist assigned to each vertex (V,): parts.SKIN and so on, parts.AUTOMATIC where none;
            or parts.NAMED plus a bit for each part that its name allows.
        progress: Called with the fraction that is done, 0 to 1, and what comes next; an exception that it raises
            ends the fit.
        further: Further shapes that the mesh is to have, after the 52: offsets (H, 3) of the canonical head by name.

    Raises:
        LSFError: "bad_mesh", "empty_mesh", "not_finite", "bad_landmarks" or "bad_parts" for input that cannot be used;
            "no_face", "several_faces" or "too_coarse" for a mesh that cannot be fitted.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit(vertices, triangles, landmarks, given_parts, progress, _with_shapes(load_head(), further or {}))


def _with_shapes(head: Head, further: Mapping[str, FloatArray]) -> Head:
    """The head with further shapes after its own."""
    if not further:
        return head
    basis = np.concatenate([head.basis, np.stack([*further.values()]).astype(np.float32)])
    return replace(head, basis=basis, channels=(*head.channels, *further))


def _fit(
    vertices: ArrayLike,
    triangles: ArrayLike,
    landmarks: ArrayLike | None,
    given_parts: ArrayLike | None,
    progress: Progress,
    head: Head,
) -> FaceSpace:
    """Do what `fit` does, with the threads that numpy has. The head has all shapes."""
    began = time.perf_counter()
    points, corners = check_mesh(vertices, triangles)
    placed = check_landmarks(np.full((LANDMARK_COUNT, 3), np.nan) if landmarks is None else landmarks)
    given, named = parts.check_parts(given_parts, len(points))
    canonical = recognise_canonical_head(points, placed, given, head)
    if canonical is not None:
        return canonical
    piece = parts.connected_pieces(points, corners)
    found, registration = locate_face(
        points,
        corners,
        piece,
        placed,
        given,
        head,
        before_fit=lambda: progress(LOCATED, "Fitting the face"),
        before_look=lambda: progress(0.0, "Looking for the face"),
    )
    check_face_resolution(registration, head)

    progress(FITTED, "Transferring the shapes")
    vertex_part, doubts = parts.classify_parts(registration, head, piece, given, named)
    eyeballs = np.asarray(np.isin(vertex_part[corners], parts.EYES).all(axis=1))
    shut = eyelids.shut_eyes(registration.target, registration.fitted[head.landmark_vertices], eyeballs)
    seam = mouth_seam.find_seam(registration.target, head, registration.fitted)
    basis, jaw = build_basis(registration, head, piece, vertex_part, shut, seam)
    landmark_points, landmark_vertices = place_landmarks(registration, head, placed)
    report = {
        "residual_mm": round(registration.residual * 1000, 3),
        "unmatched": round(registration.unmatched, 3),
        "scale": float(registration.to_mesh.scale),
        "flipped": inverted_shares(registration.target, basis),
        "shut_eyes": shut,
        "welded_lips": None if seam is None else {"jaw": round(jaw, 3), "seam": seam.rows()},
        "doubtful_parts": [asdict(doubt) for doubt in doubts[:MAX_DOUBTS]],
        "not_neutral": neutral.signs(registration, head),
        "landmark_confidence": [round(float(c), 3) for c in found.confidence],
        "check_landmarks": np.flatnonzero(found.confidence < MIN_CONFIDENCE).tolist(),
        "seconds": round(time.perf_counter() - began, 2),
    }
    own_units = np.empty(basis.shape, np.float32)
    for offsets, own in zip(basis, own_units, strict=True):
        own[:] = registration.to_mesh.apply_to_vectors(offsets)
    return FaceSpace(
        head.channels,
        own_units,
        landmark_points.astype(np.float32),
        landmark_vertices.astype(np.int32),
        registration.identity.astype(np.float32),
        vertex_part.astype(np.int32),
        registration.fitted.astype(np.float32),
        report,
    )


def check_mesh(vertices: ArrayLike, triangles: ArrayLike) -> tuple[NDArray[np.float64], IntArray]:
    """Return vertices as floats (V, 3) and triangles as integers (T, 3).

    Raises:
        LSFError: "bad_mesh", "empty_mesh", "not_finite", or "no_face" if all vertices coincide.
    """
    vertices, triangles = np.asarray(vertices, dtype=float), np.asarray(triangles)
    if vertices.ndim != 2 or vertices.shape[1:] != (3,) or triangles.ndim != 2 or triangles.shape[1:] != (3,):
        raise LSFError("bad_mesh", "The mesh must have vertices (V, 3) and triangles (T, 3).")
    if not len(vertices) or not len(triangles):
        raise LSFError("empty_mesh", "The mesh has no faces: select the character's head and try again.")
    if triangles.dtype.kind not in "iu" or triangles.min() < 0 or triangles.max() >= len(vertices):
        raise LSFError("bad_mesh", "The mesh's triangles point to vertices that do not exist.")
    if not np.isfinite(vertices).all():
        raise LSFError("not_finite", "The mesh has vertices that are not finite numbers: remove or repair them.")
    if not np.ptp(vertices[used_vertices(triangles, len(vertices))], axis=0).max() > 0:
        raise LSFError("no_face", "All vertices of the mesh are at one point: select the character's head.")
    return vertices, triangles.astype(int)


def recognise_canonical_head(
    vertices: FloatArray, landmarks: FloatArray, given_parts: IntArray, head: Head
) -> FaceSpace | None:
    """Return the canonical head's own shapes if the mesh is that head, at any place and size; else None.

    Args:
        vertices: Vertices (V, 3).
        landmarks: Placed landmarks (68, 3), NaN where none is.
        given_parts: Part that an artist assigned to each vertex (V,).
        head: The canonical head.
    """
    if len(vertices) != len(head.vertices) or (given_parts != parts.AUTOMATIC).any():
        return None
    to_mesh = fit_similarity(head.vertices.astype(float), vertices)

    def to_mesh_vectors(offsets: FloatArray) -> NDArray[np.float32]:
        return to_mesh.apply_to_vectors(offsets).astype(np.float32)

    if np.abs(to_mesh_vectors(head.vertices) + to_mesh.translation - vertices).max() > SAME_MESH * to_mesh.scale:
        return None
    marks = to_mesh_vectors(head.landmarks68) + to_mesh.translation.astype(np.float32)
    if np.nanmax(np.abs(landmarks - marks), initial=0) > SAME_LANDMARK * to_mesh.scale:
        return None
    report = {
        "residual_mm": 0.0,
        "unmatched": 0.0,
        "scale": float(to_mesh.scale),
        "own_head": True,
        "seconds": 0.0,
        "flipped": dict.fromkeys(POSES, 0.0),
        "shut_eyes": [],
        "welded_lips": None,
        "doubtful_parts": [],
        "not_neutral": [],
        "landmark_confidence": [1.0] * LANDMARK_COUNT,
        "check_landmarks": [],
    }
    return FaceSpace(
        head.channels,
        to_mesh_vectors(head.basis),
        marks,
        head.landmark_vertices,
        np.zeros(len(head.identity_modes), np.float32),
        parts.canonical_parts(head),
        head.vertices,
        report,
    )


def check_face_resolution(registration: Registration, head: Head) -> None:
    """Check that the face has enough vertices to move.

    Raises:
        LSFError: "too_coarse".
    """
    vertices = registration.target.vertices
    centre = registration.fitted[head.landmark_vertices[INNER_LANDMARKS]].mean(0)
    used = used_vertices(registration.target.triangles, len(vertices))
    inside = np.linalg.norm(vertices[used] - centre, axis=1) < FACE_RADIUS
    if inside.sum() < MIN_FACE_VERTICES:
        raise LSFError(
            "too_coarse",
            f"The face has only {inside.sum()} vertices, too few to speak with: subdivide "
            "the mesh (apply a Subdivision modifier) and try again.",
        )


def build_basis(
    registration: Registration,
    head: Head,
    piece: IntArray,
    vertex_part: IntArray,
    shut: list[str],
    seam: mouth_seam.Seam | None,
) -> tuple[FloatArray, float]:
    """Compute the offsets of all channels on the mesh.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        piece: Connected piece of each vertex (V,).
        vertex_part: Part of each vertex (V,).
        shut: Sides of the eyes that do not open, from eyelids.shut_eyes: their lids stay as they are.
        seam: The seam of welded lips, which stay together; None if the lips are cut.

    Returns:
        Offsets (52, V, 3) in the head's frame, metres, and the share of the jaw's motion that welded lips leave.
    """
    shapes = adapt_shapes(registration, head)
    target = registration.target
    if seam is not None:
        target.side = mouth_seam.sides_of_seam(target, seam, registration.fitted[head.landmark_vertices])
    middle = registration.fitted[head.landmark_vertices].mean(0)
    near = np.linalg.norm(target.vertices - middle, axis=1) < MOTION_RADIUS
    skin = np.flatnonzero(near & np.isin(vertex_part, (parts.SKIN, parts.FOLLOWING)))
    basis = transfer_to_skin(registration, head, shapes, skin)
    lip_seam = registration.fitted[(head.seam & LIP_SEAMS) > 0]
    keep_lip_distance(target.vertices, target.side, lip_seam, basis)
    jaw = 1.0 if seam is None else mouth_seam.keep_lips_together(target, seam, head, shapes, basis)
    basis = repair_inverted_triangles(target, basis, POSES.values())
    eyelids.keep_lids(basis, skin, shut)
    parts.transfer_to_parts(registration, head, shapes, piece, np.where(near, vertex_part, parts.STILL), basis)
    return basis, jaw


def place_landmarks(registration: Registration, head: Head, landmarks: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the final landmarks: placed ones unchanged, the others from the fit, moved onto the surface.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        landmarks: Placed landmarks (68, 3) in mesh units, NaN where none is.

    Returns:
        Landmarks (68, 3) in mesh units, and the vertex (68,) nearest to each; for the lips, the nearest one on the same
        side of the mouth.
    """
    target = registration.target
    placed = placed_mask(landmarks)
    fitted = registration.fitted[head.landmark_vertices]
    distance, index = target.nearest_samples(fitted)
    points = np.where((distance < SNAP_DISTANCE)[:, None], target.points[index], fitted)
    points[placed] = registration.to_mesh.apply_inverse(landmarks[placed])
    skin = target.skin_vertices()
    is_mouth = np.arange(LANDMARK_COUNT) >= MOUTH_LANDMARKS.start
    sides = np.where(is_mouth, head.mouth_side[head.landmark_vertices], 0)
    wanted, nearest = np.where(placed[:, None], points, fitted), np.zeros(LANDMARK_COUNT, int)
    for side in np.unique(sides):
        allowed = skin[target.side[skin] * side >= 0]
        nearest[sides == side] = allowed[nearest_points(target.vertices[allowed], wanted[sides == side])[1]]
    return registration.to_mesh.apply(points), nearest


def inverted_shares(target: TargetMesh, basis: FloatArray) -> dict[str, float]:
    """Return, by name of POSES, the share of moving triangles whose normal turns by more than 90 degrees.

    Args:
        target: The mesh.
        basis: Offsets (52, V, 3) in the head's frame, metres.
    """
    triangles = moving_triangles(target, basis)
    if not len(triangles):
        return dict.fromkeys(POSES, 0.0)
    before = triangle_normals(target.vertices, triangles)
    return {
        name: round(float(turned(target.vertices, basis, pose, triangles, before).mean()), 4)
        for name, pose in POSES.items()
    }
