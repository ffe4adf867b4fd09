"""Face localisation: which candidate of the landmark networks is the face, and whether the mesh has exactly one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray, IntArray
from . import landmark_constraints, parts
from .head import LANDMARK_COUNT, Head
from .registration import Alignment, Registration, align, deform
from .target_mesh import no_face_error

if TYPE_CHECKING:  # imports torch
    from .landmark_detection import LandmarkCandidate

MAX_RESIDUAL = 0.003  # metres on a head of ordinary size: mean distance over the face after the identity fit
MAX_SPREAD = 0.012  # of automatic landmarks over zoom, as a share of the face's extent
PLACED_TOLERANCE = 1.5  # times MAX_RESIDUAL, where an artist placed enough landmarks
MAX_UNMATCHED = 0.5  # share of the head's face without a counterpart on the mesh
MAX_TURN, MAX_TURNS = np.radians(12), 3  # a face that is turned further away is detected again, at most this often
MIN_CONFIDENCE = 0.5  # of a landmark; an artist should check landmarks with less
CERTAIN_MISFIT = 0.6  # a candidate with a smaller misfit certainly is a face: measured heads have 0.2–0.45
MIN_FACE_VERTICES = 200  # a face with fewer is too coarse to fit
MIN_FACE_SIZE, MAX_PIECES = 0.12, 4  # other pieces that may be faces: least extent in metres, and how many are searched

Callback = Callable[[], None]


@dataclass(frozen=True)
class _Search:
    """The input of the search for the face.

    Attributes:
        vertices: Vertices (V, 3) in mesh units.
        triangles: All triangles (T, 3).
        visible: The triangles without those that an artist marked as FOLLOWING or STILL.
        piece: Connected piece of each vertex (V,).
        landmarks: Placed landmarks (68, 3), NaN where they are to be detected.
        given_parts: Part that an artist assigned to each vertex (V,), parts.AUTOMATIC where none.
        head: The canonical head.
        before_fit: Called before each fit.
        before_look: Called before each detection by the networks.
    """

    vertices: FloatArray
    triangles: IntArray
    visible: IntArray
    piece: IntArray
    landmarks: FloatArray
    given_parts: IntArray
    head: Head
    before_fit: Callback
    before_look: Callback


def locate_face(
    vertices: FloatArray,
    triangles: IntArray,
    piece: IntArray,
    landmarks: FloatArray,
    given_parts: IntArray,
    head: Head,
    before_fit: Callback,
    before_look: Callback,
) -> tuple["LandmarkCandidate", Registration]:
    """Find the face on a mesh, and fit the canonical head to it.

    Args:
        vertices: Vertices (V, 3) in mesh units.
        triangles: Triangles (T, 3).
        piece: Connected piece of each vertex (V,), from parts.connected_pieces.
        landmarks: Placed landmarks (68, 3), NaN where they are to be detected.
        given_parts: Part that an artist assigned to each vertex (V,), parts.AUTOMATIC where none.
        head: The canonical head.
        before_fit: Called before each fit; an exception that it raises ends the search.
        before_look: Called before each detection by the networks, in the same way.

    Returns:
        The landmarks of the face, and the fitted head.

    Raises:
        LSFError: "no_face" if there is none, "several_faces" if there are several and no landmarks that choose one.
    """
    visible = triangles[~np.isin(given_parts[triangles].max(1), (parts.FOLLOWING, parts.STILL))]
    if not len(visible):
        raise no_face_error()
    search = _Search(vertices, triangles, visible, piece, landmarks, given_parts, head, before_fit, before_look)
    located = _first_fitting_candidate(search)
    if not landmark_constraints.determines_pose(landmarks):
        others = _other_faces(search, located)
        if located is None and len(others) == 1:
            located = others.pop()
        if others:
            raise LSFError(
                "several_faces",
                f"The mesh has {len(others) + (located is not None)} faces: select one "
                "character, or place four landmarks on the face that is to speak (both corners of the mouth, the tip of the "
                "nose and the chin).",
            )
    if located is None:
        raise no_face_error()
    found, alignment = located
    return found, deform(alignment, head)


def misfit(alignment: Alignment, spread: float, placed: bool = False) -> float:
    """Return how badly the head fits to a candidate.

    Args:
        alignment: The head, aligned to the candidate.
        spread: Mean deviation of the landmarks over zoom, as a share of the face's extent.
        placed: Whether an artist placed enough landmarks: the limits are wider then, and `spread` does not count.

    Returns:
        0 for a perfect fit; above 1 the candidate is no face.
    """
    residual = alignment.residual / MAX_RESIDUAL
    if alignment.unmatched > MAX_UNMATCHED:
        return np.inf
    return residual / PLACED_TOLERANCE if placed else 0.5 * residual + 0.5 * spread / MAX_SPREAD


def _first_fitting_candidate(search: _Search) -> tuple["LandmarkCandidate", Alignment] | None:
    """Return the first candidate that the head certainly fits to, detected from its own front.

    If there is none, the best of those to which it fits at all; None if it fits to none.
    """
    placed = landmark_constraints.placed_mask(search.landmarks)
    best, best_misfit = None, 1.0
    for candidate in _candidates(search):
        found = candidate
        alignment, found_misfit = _align(search, found, placed)
        for _ in range(MAX_TURNS):
            again = _look_from_front(search, found, alignment)
            if again is None:
                break
            closer, closer_misfit = _align(search, again, placed)
            if closer_misfit >= found_misfit:
                break
            found, alignment, found_misfit = again, closer, closer_misfit
        if alignment is not None and found_misfit <= best_misfit:
            best, best_misfit = (found, alignment), found_misfit
        if best_misfit < CERTAIN_MISFIT or (best is not None and placed.sum() >= landmark_constraints.MIN_POSE_POINTS):
            break
    return best


def _candidates(search: _Search) -> Iterator["LandmarkCandidate"]:
    """Yield candidates for the face, the most likely first. Landmarks that an artist placed replace the search."""
    from .landmark_detection import LandmarkCandidate, detect_landmarks  # torch is only needed here

    landmarks = search.landmarks
    if landmark_constraints.placed_mask(landmarks).all():
        yield LandmarkCandidate(landmarks, np.ones(LANDMARK_COUNT), 0.0)
    elif landmark_constraints.determines_pose(landmarks):
        yield from landmark_constraints.candidates_from_placed(
            search.vertices, search.visible, search.piece, landmarks, search.head, search.before_look
        )
    else:
        yield from detect_landmarks(search.vertices, search.visible, search.before_look)


def _align(search: _Search, found: "LandmarkCandidate", placed: BoolArray) -> tuple[Alignment | None, float]:
    """Apply the placed landmarks to a candidate, in place, and align the head to it.

    Returns the alignment, None if it fails, and its misfit, infinite then.
    """
    search.before_fit()
    if placed.any():
        found.points = landmark_constraints.apply_constraints(found.points, search.landmarks, search.head)
        found.confidence = np.where(placed, 1, found.confidence)
    skin = parts.skin_triangles(search.vertices, search.triangles, search.piece, search.given_parts, found.points)
    weight = np.minimum(found.confidence / MIN_CONFIDENCE, 1)
    try:
        alignment = align(search.vertices, search.triangles, found.points, skin, search.head, weight, placed)
    except LSFError:
        return None, np.inf
    return alignment, misfit(alignment, found.spread, placed.sum() >= landmark_constraints.MIN_POSE_POINTS)


def _look_from_front(
    search: _Search, found: "LandmarkCandidate", alignment: Alignment | None
) -> "LandmarkCandidate | None":
    """Detect a face again from its own front if it is turned away from the first view; return None if it is not."""
    from .landmark_detection import detect_from

    if alignment is None or found.rotation is None or alignment.unmatched > MAX_UNMATCHED:
        return None
    to_mesh = alignment.to_mesh
    if np.trace(found.rotation @ to_mesh.rotation) > 1 + 2 * np.cos(MAX_TURN):
        return None
    search.before_look()
    guess = to_mesh.apply(alignment.shape[search.head.landmark_vertices])
    return detect_from(search.vertices, search.visible, to_mesh.rotation.T, guess)


def _other_faces(
    search: _Search, located: tuple["LandmarkCandidate", Alignment] | None
) -> list[tuple["LandmarkCandidate", Alignment]]:
    """Return the other large pieces of the mesh that are certainly faces, each detected alone."""
    from .landmark_detection import detect_from

    vertices, visible = search.vertices, search.visible
    triangle_piece = search.piece[visible[:, 0]]
    rotation: FloatArray = np.eye(3)
    known_piece, min_size = -1, 0.0
    if located is not None:
        to_mesh, target = located[1].to_mesh, located[1].target
        rotation, known_piece = to_mesh.rotation.T, search.piece[target.triangles[target.skin][0, 0]]
        min_size = MIN_FACE_SIZE * to_mesh.scale
    faces = []
    for piece in np.argsort(-np.bincount(triangle_piece))[: MAX_PIECES + 1]:
        own = visible[triangle_piece == piece]
        used = np.unique(own)
        if piece == known_piece or len(own) == len(visible):  # it was searched already
            continue
        if len(used) < MIN_FACE_VERTICES or np.ptp(vertices[used], axis=0).min() < min_size:
            continue
        search.before_look()
        found = detect_from(vertices, own, rotation)
        if found is None or found.spread > MAX_SPREAD:
            continue
        try:
            alignment = align(vertices, own, found.points, np.ones(len(own), dtype=bool), search.head)
        except LSFError:
            continue
        if misfit(alignment, found.spread) < CERTAIN_MISFIT:
            faces.append((found, alignment))
    return faces
