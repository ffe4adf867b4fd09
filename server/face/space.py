"""The face space of a mesh: 52 shapes on its own vertices, 68 landmarks, identity coefficients."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..arkit import CHANNELS
from ..errors import LSFError
from . import head as h
from . import parts
from .closing import keep_gap
from .geometry import similarity
from .refusals import no_face
from .registration import register
from .transfer import carry_skin, local_shapes, triangle_normals, untangle

LEAST_FACE_VERTICES = 120
WORST_RESIDUAL = 0.003  # metres on a head of ordinary size, mean over the face after the identity fit
WORST_SPREAD = 0.012  # of automatic landmarks under zoom, as a share of the face's extent
MOST_UNMATCHED = 0.5
SAME = 1e-5  # metres: a mesh whose vertices all lie this near to the project's own head is that head
FOUND, FITTED = 0.4, 0.7  # shares of the time that a fit takes
REACH = 0.24  # metres around the middle of the face: nothing beyond can move
# Poses at full strength in which triangles must not turn over: rows of the basis that are added up.
POSES = {name: tuple(CHANNELS.index(c) for c in channels) for name, channels in {
    "jawOpen": ("jawOpen",), "mouthPucker": ("mouthPucker",), "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouthClose": ("jawOpen", "mouthClose")}.items()}


@dataclass(frozen=True)
class FaceSpace:
    """offset[f] = sum over k of motion[f, k] * basis[k], in the mesh's own units and vertex order."""

    channels: tuple[str, ...]  # K names, server.arkit.CHANNELS
    basis: np.ndarray  # (K, V, 3) float32
    landmarks68: np.ndarray  # (68, 3) float32, on the surface
    landmark_vertices: np.ndarray  # (68,) int32, the nearest vertices
    identity: np.ndarray  # (50,) float32, standard normal over the population
    report: dict


Step = Callable[[float, str], None]


def fit(vertices: np.ndarray, triangles: np.ndarray, landmarks: np.ndarray | None = None,
        step: Step = lambda fraction, text: None) -> FaceSpace:
    """Find the face on a neutral mesh and give it the 52 ARKit shapes.

    vertices (V, 3) in any unit, Z up and facing -Y unless the landmarks say otherwise; triangles (T, 3) int; landmarks
    (68, 3) in the same units as placed by an artist, or None to find them. Raises LSFError with a sentence.
    `step(fraction, text)` is called as the work goes on; what it raises ends the fit.
    """
    began = time.perf_counter()
    vertices, triangles = check(vertices, triangles)
    head = h.load_head()
    own = own_head(vertices, head)
    if own is not None:
        return own
    piece = parts.split(vertices, triangles)
    if landmarks is None:
        found, skin_piece, registration = find_and_register(vertices, triangles, piece, head, step)
        landmarks = found.points
    else:
        found, landmarks = None, check_landmarks(landmarks)
        step(FOUND, "Fitting the face")
        skin_piece, registration = register_piece(vertices, triangles, piece, landmarks, head)
        if doubt(registration) > 1:
            raise no_face()
    refuse_coarse(registration, head)

    step(FITTED, "Carrying the shapes over")
    basis = build_basis(registration, head, piece, skin_piece)
    points, nearest = settle_landmarks(registration, head, found is None, landmarks)
    scale = registration.scale
    report = {
        "residual_mm": round(registration.residual * 1000, 3),
        "unmatched": round(registration.unmatched, 3),
        "scale": float(scale),
        "flipped": count_flips(registration.target, basis),
        "seconds": round(time.perf_counter() - began, 2),
    }
    if found is not None:
        report["confidence"] = [round(float(c), 3) for c in found.confidence]
    basis = (scale * basis.reshape(-1, 3) @ registration.rotation.T).reshape(basis.shape)
    return FaceSpace(CHANNELS, basis.astype(np.float32), points.astype(np.float32), nearest.astype(np.int32),
                     registration.identity.astype(np.float32), report)


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


def check_landmarks(landmarks):
    landmarks = np.asarray(landmarks, dtype=float)
    if landmarks.shape != (68, 3) or not np.isfinite(landmarks).all():
        raise LSFError("bad_landmarks", "The landmarks must be 68 finite points: reset them and place them again.")
    if np.ptp(landmarks, axis=0).max() <= 0:
        raise LSFError("bad_landmarks", "All landmarks lie at one point: reset them and place them again.")
    return landmarks


def own_head(vertices, head) -> FaceSpace | None:
    """Exactly the head's own shapes if the mesh is the project's head, wherever it stands and however large it is."""
    if len(vertices) != len(head.vertices):
        return None
    scale, rotation, shift = similarity(head.vertices.astype(float), vertices)
    place = lambda offsets: (scale * offsets @ rotation.T).astype(np.float32)  # noqa: E731
    if np.abs(place(head.vertices) + shift - vertices).max() > SAME * scale:
        return None
    report = {"residual_mm": 0.0, "unmatched": 0.0, "scale": float(scale), "own_head": True, "seconds": 0.0,
              "flipped": dict.fromkeys(POSES, 0.0), "confidence": [1.0] * 68}
    return FaceSpace(CHANNELS, place(head.basis), place(head.landmarks68) + shift.astype(np.float32),
                     head.landmark_vertices, np.zeros(len(head.identity_modes), np.float32), report)


def register_piece(vertices, triangles, piece, landmarks, head):
    """The piece of the mesh that carries the face, and the registration of the head to it."""
    skin_piece = parts.main_piece(vertices, triangles, piece, landmarks)
    return skin_piece, register(vertices, triangles, landmarks, piece[triangles[:, 0]] == skin_piece, head)


def find_and_register(vertices, triangles, piece, head, step):
    """The first candidate for a face that the head fits to."""
    from .landmarks import find_landmarks  # torch is only needed here

    for found in find_landmarks(vertices, triangles, lambda: step(0.0, "Looking for the face")):
        step(FOUND, "Fitting the face")
        try:
            skin_piece, registration = register_piece(vertices, triangles, piece, found.points, head)
        except LSFError:
            continue
        if doubt(registration, found.spread) <= 1:
            return found, skin_piece, registration
    raise no_face()


def doubt(registration, spread: float | None = None) -> float:
    """Above 1 it is no face: the head does not fit, or (where the landmarks were found) they moved under zoom."""
    misfit = registration.residual / WORST_RESIDUAL
    if registration.unmatched > MOST_UNMATCHED:
        return np.inf
    return misfit if spread is None else 0.5 * misfit + 0.5 * spread / WORST_SPREAD


def refuse_coarse(registration, head):
    """A sentence where the face has too few vertices to move."""
    vertices = registration.target.vertices
    centre = registration.fitted[head.landmark_vertices[17:]].mean(0)
    inside = np.linalg.norm(vertices[np.unique(registration.target.triangles)] - centre, axis=1) < 0.12
    if inside.sum() < LEAST_FACE_VERTICES:
        raise LSFError("too_coarse", f"The face has only {inside.sum()} vertices, too few to speak with: subdivide "
                                     "the mesh (apply a Subdivision modifier) and try again.")


def build_basis(registration, head, piece, skin_piece):
    """(52, V, 3) in the head's frame."""
    shapes = local_shapes(registration, head)
    target = registration.target
    used = np.zeros(len(target.vertices), dtype=bool)
    used[np.unique(target.triangles)] = True
    middle = registration.fitted[head.landmark_vertices].mean(0)
    used &= np.linalg.norm(target.vertices - middle, axis=1) < REACH
    kinds = parts.classify(registration, head, piece, skin_piece)
    follows = np.zeros(len(target.vertices), dtype=bool)
    for p, kind in kinds.items():
        if kind in (parts.SKIN, parts.FOLLOW):
            follows |= piece == p
    basis = carry_skin(registration, head, shapes, np.flatnonzero(follows & used))
    lip_seam = registration.fitted[np.isin(head.seam, (1, 2, 3))]  # bits of the upper and the lower lip
    keep_gap(target.vertices, target.side, lip_seam, basis)
    basis = untangle(target, basis, POSES.values())
    for p, kind in kinds.items():
        if kind in (*h.PARTS[1:], parts.MOUTH):
            members = np.flatnonzero((piece == p) & used)
            basis[:, members] = parts.carry_part(registration, head, shapes, kind, members)
    return basis


def settle_landmarks(registration, head, given, landmarks):
    """Landmarks in mesh units on the surface, and the vertex nearest to each on the right side of the mouth."""
    target = registration.target
    own = registration.fitted[head.landmark_vertices]
    wanted = registration.to_head(landmarks) if given else own
    skin = np.unique(target.triangles[target.skin])
    points, nearest = wanted.copy(), np.zeros(68, int)
    for k in range(68):
        side = head.mouth_side[head.landmark_vertices[k]]
        allowed = skin[target.side[skin] * side >= 0] if k >= 48 else skin
        gap = np.linalg.norm(target.vertices[allowed] - wanted[k], axis=1)
        nearest[k] = allowed[gap.argmin()]
    if not given:
        distance, index = cKDTree(target.points).query(wanted)
        points = np.where((distance < 0.01)[:, None], target.points[index], wanted)
    return registration.to_mesh(points), nearest


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
