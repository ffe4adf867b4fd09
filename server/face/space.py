"""The face space of a mesh: 52 shapes on its own vertices, 68 landmarks, identity coefficients."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..arkit import CHANNELS
from ..errors import LSFError
from . import landmark_constraints as guided, parts
from . import head as h
from .seam_closure import keep_gap
from .localisation import DOUBTFUL, locate
from .geometry import similarity
from .shape_transfer import carry_skin, local_shapes, triangle_normals, untangle

LEAST_FACE_VERTICES, FACE_RADIUS = 200, 0.15  # metres on a head of ordinary size: the front half of a head
SAME = 1e-5  # metres: a mesh whose vertices all lie this near to the project's own head is that head
SAME_LANDMARK = 1e-3  # metres: so far a landmark placed on that head may be from its own
FOUND, FITTED = 0.4, 0.7  # shares of the time that a fit takes
REACH = 0.24  # metres around the middle of the face: nothing beyond can move
# Poses at full strength in which triangles must not turn over: rows of the basis that are added up.
POSES = {
    name: tuple(CHANNELS.index(c) for c in channels)
    for name, channels in {
        "jawOpen": ("jawOpen",),
        "mouthPucker": ("mouthPucker",),
        "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
        "mouthClose": ("jawOpen", "mouthClose"),
    }.items()
}


@dataclass(frozen=True)
class FaceSpace:
    """offset[f] = sum over k of motion[f, k] * basis[k], in the mesh's own units and vertex order."""

    channels: tuple[str, ...]  # K names, server.arkit.CHANNELS
    basis: np.ndarray  # (K, V, 3) float32
    landmarks68: np.ndarray  # (68, 3) float32, on the surface
    landmark_vertices: np.ndarray  # (68,) int32, the nearest vertices
    identity: np.ndarray  # (50,) float32, standard normal over the population
    parts: np.ndarray  # (V,) int32, parts.SKIN and so on
    report: dict


Step = Callable[[float, str], None]


def fit(
    vertices: np.ndarray,
    triangles: np.ndarray,
    landmarks: np.ndarray | None = None,
    given_parts: np.ndarray | None = None,
    step: Step = lambda fraction, text: None,
) -> FaceSpace:
    """Find the face on a neutral mesh and give it the 52 ARKit shapes.

    vertices (V, 3) in any unit, Z up and facing -Y unless the landmarks say otherwise; triangles (T, 3) int; landmarks
    (68, 3) in the same units as placed by an artist, NaN where they are to be found; given_parts (V,) of parts.SKIN and
    so on, parts.AUTOMATIC where it is to be found out. Raises LSFError with a sentence.
    `step(fraction, text)` is called as the work goes on; what it raises ends the fit.
    """
    began = time.perf_counter()
    vertices, triangles = check(vertices, triangles)
    landmarks = guided.check_landmarks(np.full((68, 3), np.nan) if landmarks is None else landmarks)
    given = parts.check(given_parts, len(vertices))
    head = h.load_head()
    own = own_head(vertices, landmarks, given, head)
    if own is not None:
        return own
    piece = parts.split(vertices, triangles)
    found, registration = locate(
        vertices,
        triangles,
        piece,
        landmarks,
        given,
        head,
        lambda: step(FOUND, "Fitting the face"),
        lambda: step(0.0, "Looking for the face"),
    )
    refuse_coarse(registration, head)

    step(FITTED, "Transferring the shapes")
    kinds = parts.classify(registration, head, piece, given)
    basis = build_basis(registration, head, piece, kinds)
    points, nearest = settle_landmarks(registration, head, landmarks)
    frame = registration.frame
    report = {
        "residual_mm": round(registration.residual * 1000, 3),
        "unmatched": round(registration.unmatched, 3),
        "scale": float(frame.scale),
        "flipped": count_flips(registration.target, basis),
        "landmark_confidence": [round(float(c), 3) for c in found.confidence],
        "check_landmarks": np.flatnonzero(found.confidence < DOUBTFUL).tolist(),
        "seconds": round(time.perf_counter() - began, 2),
    }
    basis = (frame.scale * basis.reshape(-1, 3) @ frame.rotation.T).reshape(basis.shape)
    return FaceSpace(
        CHANNELS,
        basis.astype(np.float32),
        points.astype(np.float32),
        nearest.astype(np.int32),
        registration.identity.astype(np.float32),
        kinds.astype(np.int32),
        report,
    )


def check(vertices, triangles):
    """Arrays of the right kind, or a sentence."""
    vertices, triangles = np.asarray(vertices, dtype=float), np.asarray(triangles)
    if vertices.ndim != 2 or vertices.shape[1:] != (3,) or triangles.ndim != 2 or triangles.shape[1:] != (3,):
        raise LSFError("bad_mesh", "The mesh must have vertices (V, 3) and triangles (T, 3).")
    if not len(vertices) or not len(triangles):
        raise LSFError("empty_mesh", "The mesh has no faces: select the character's head and try again.")
    if triangles.dtype.kind not in "iu" or triangles.min() < 0 or triangles.max() >= len(vertices):
        raise LSFError("bad_mesh", "The mesh's triangles point to vertices that do not exist.")
    if not np.isfinite(vertices).all():
        raise LSFError("not_finite", "The mesh has vertices that are not finite numbers: remove or repair them.")
    if not np.ptp(vertices[np.unique(triangles)], axis=0).max() > 0:
        raise LSFError("no_face", "All vertices of the mesh are at one point: select the character's head.")
    return vertices, triangles.astype(int)


def own_head(vertices, landmarks, given, head) -> FaceSpace | None:
    """Exactly the head's own shapes if the mesh is the project's head, wherever it stands and however large it is."""
    if len(vertices) != len(head.vertices) or (given != parts.AUTOMATIC).any():
        return None
    scale, rotation, shift = similarity(head.vertices.astype(float), vertices)
    place = lambda offsets: (scale * offsets @ rotation.T).astype(np.float32)
    if np.abs(place(head.vertices) + shift - vertices).max() > SAME * scale:
        return None
    marks = place(head.landmarks68) + shift.astype(np.float32)
    if np.nanmax(np.abs(landmarks - marks), initial=0) > SAME_LANDMARK * scale:
        return None
    report = {
        "residual_mm": 0.0,
        "unmatched": 0.0,
        "scale": float(scale),
        "own_head": True,
        "seconds": 0.0,
        "flipped": dict.fromkeys(POSES, 0.0),
        "landmark_confidence": [1.0] * 68,
        "check_landmarks": [],
    }
    return FaceSpace(
        CHANNELS,
        place(head.basis),
        marks,
        head.landmark_vertices,
        np.zeros(len(head.identity_modes), np.float32),
        parts.of_head(head),
        report,
    )


def refuse_coarse(registration, head):
    """A sentence where the face has too few vertices to move."""
    vertices = registration.target.vertices
    centre = registration.fitted[head.landmark_vertices[17:]].mean(0)
    inside = np.linalg.norm(vertices[np.unique(registration.target.triangles)] - centre, axis=1) < FACE_RADIUS
    if inside.sum() < LEAST_FACE_VERTICES:
        raise LSFError(
            "too_coarse",
            f"The face has only {inside.sum()} vertices, too few to speak with: subdivide "
            "the mesh (apply a Subdivision modifier) and try again.",
        )


def build_basis(registration, head, piece, kinds):
    """(52, V, 3) in the head's frame."""
    shapes = local_shapes(registration, head)
    target = registration.target
    middle = registration.fitted[head.landmark_vertices].mean(0)
    near = np.linalg.norm(target.vertices - middle, axis=1) < REACH
    basis = carry_skin(registration, head, shapes, np.flatnonzero(near & np.isin(kinds, (parts.SKIN, parts.FOLLOWING))))
    lip_seam = registration.fitted[np.isin(head.seam, (1, 2, 3))]  # bits of the upper and the lower lip
    keep_gap(target.vertices, target.side, lip_seam, basis)
    basis = untangle(target, basis, POSES.values())
    parts.carry_parts(registration, head, shapes, piece, np.where(near, kinds, parts.STILL), basis)
    return basis


def settle_landmarks(registration, head, landmarks):
    """Landmarks in mesh units, the placed ones as they are and the others on the surface, and the vertex nearest to
    each on the right side of the mouth.
    """
    target = registration.target
    fixed = guided.placed(landmarks)
    own = registration.fitted[head.landmark_vertices]
    distance, index = target.tree.query(own)
    points = np.where((distance < 0.01)[:, None], target.points[index], own)
    points[fixed] = registration.frame.back(landmarks[fixed])
    skin = np.unique(target.triangles[target.skin])
    sides = np.where(np.arange(68) < 48, 0, head.mouth_side[head.landmark_vertices])
    wanted, nearest = np.where(fixed[:, None], points, own), np.zeros(68, int)
    for side in np.unique(sides):
        allowed = skin[target.side[skin] * side >= 0]
        nearest[sides == side] = allowed[cKDTree(target.vertices[allowed]).query(wanted[sides == side])[1]]
    return registration.frame.there(points), nearest


def count_flips(target, basis):
    """Share of the moving triangles whose normal turns by more than 90 degrees at full strength of some poses."""
    moves = np.abs(basis).max((0, 2)) > 1e-4
    triangles = target.triangles[moves[target.triangles].any(1) & target.skin]
    before = triangle_normals(target.vertices, triangles)
    flips = {}
    for name, pose in POSES.items():
        after = triangle_normals(target.vertices + basis[list(pose)].sum(0), triangles)
        flips[name] = round(float(((before * after).sum(1) < 0).mean()), 4) if len(triangles) else 0.0
    return flips
