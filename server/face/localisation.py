"""Face localisation: which candidate of the landmark networks is the face, and whether the mesh has exactly one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LSFError
from ..numerics import FloatArray, IntArray
from . import landmark_constraints, parts
from .geometry import (
    StretchedSimilarity,
    blend_corners,
    measure_stretch,
    sample_surface,
    used_vertices,
)
from .head import INNER_LANDMARKS, JAW_LINE, LANDMARK_COUNT, Head
from .raster import render
from .registration import INNER_FACE_RADIUS, Alignment, Registration, align, deform
from .search_budget import ALIGNMENT_UNITS, PIECES_UNITS, SearchBudget
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
OBSTACLE_DISTANCE = 0.008  # metres in front of the aligned head: pieces of the mesh that reach further hide the face
OBSTACLE_PIXELS, OBSTACLE_SPACING = 96, 0.004  # of the depth image of that head; metres between points on the pieces
OBSTACLE_LOOKS = 2  # without the obstacles
# Ratio of the largest to the smallest stretch along the head's axes above which a mesh is brought to ordinary
# proportions first, and that which is left after. 500 identities and the measured heads have up to 1.23.
STRETCHED, STILL_STRETCHED = 1.35, 1.08
MAX_UNSTRETCHED = 3
STRETCH_JAW_WEIGHT = 0.3  # of landmarks along the jaw line in this measurement

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
        budget: What the search may still cost.
        stretch: What brings these vertices to those of the user's mesh (3, 3): vertices @ stretch.
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
    budget: SearchBudget
    stretch: FloatArray = field(default_factory=lambda: np.eye(3))


@dataclass(frozen=True)
class _Located:
    """A candidate for the face with the head aligned to it.

    Attributes:
        search: The search in whose mesh it was found.
        found: Its landmarks.
        alignment: The head, aligned to it.
        misfit: See `misfit`.
    """

    search: _Search
    found: "LandmarkCandidate"
    alignment: Alignment
    misfit: float


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
    search = _Search(
        vertices, triangles, visible, piece, landmarks, given_parts, head, before_fit, before_look, SearchBudget()
    )
    located = _first_fitting_candidate(search)
    if not landmark_constraints.determines_pose(landmarks):
        others = _other_faces(search if located is None else located.search, located)
        if located is None and len(others) == 1:
            located = others.pop()
        if others:
            raise LSFError(
                "several_faces",
                f"The mesh has {len(others) + (located is not None)} faces: select one character, or place four "
                "landmarks on the face that is to speak (both corners of the mouth, the tip of the nose and the chin).",
            )
    if located is None:
        raise no_face_error()
    registration = deform(located.alignment, head)
    if located.search.stretch is not search.stretch:
        registration = replace(
            registration, to_mesh=StretchedSimilarity(located.alignment.to_mesh, located.search.stretch)
        )
    return located.found, registration


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


def _first_fitting_candidate(search: _Search) -> _Located | None:
    """Return the first candidate that the head certainly fits to, detected from its own front.

    If there is none, the best of those to which it fits at all; None if it fits to none.
    """
    is_placed = landmark_constraints.placed_mask(search.landmarks).sum() >= landmark_constraints.MIN_POSE_POINTS
    best = None
    for candidate in _candidates(search):
        located = _align(search, candidate)
        for improve in (_seen_from_front, _without_obstacles, _unstretched):
            located = improve(located) if located is not None else None
        if located is not None and located.misfit <= (1 if best is None else best.misfit):
            best = located
        if best is not None and (best.misfit < CERTAIN_MISFIT or is_placed):
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
        yield from detect_landmarks(search.vertices, search.visible, search.before_look, search.budget)


def _align(search: _Search, found: "LandmarkCandidate") -> _Located | None:
    """Apply the placed landmarks to a candidate, in place, and align the head to it; None if that fails."""
    search.before_fit()
    search.budget.spend(ALIGNMENT_UNITS)
    placed = landmark_constraints.placed_mask(search.landmarks)
    if placed.any():
        found.points = landmark_constraints.apply_constraints(found.points, search.landmarks, search.head)
        found.confidence = np.where(placed, 1, found.confidence)
    skin = parts.skin_triangles(search.vertices, search.triangles, search.piece, search.given_parts, found.points)
    weight = np.minimum(found.confidence / MIN_CONFIDENCE, 1)
    try:
        alignment = align(search.vertices, search.triangles, found.points, skin, search.head, weight, placed)
    except LSFError:
        return None
    is_placed = placed.sum() >= landmark_constraints.MIN_POSE_POINTS
    return _Located(search, found, alignment, misfit(alignment, found.spread, is_placed))


def _look_again(search: _Search, located: _Located) -> _Located | None:
    """Detect a face again from its own front, in the same mesh or in a changed one; None if that fails.

    It fails, too, if the budget of the search is overdrawn.
    """
    from .landmark_detection import detect_from

    if search.budget.is_overdrawn:
        return None
    search.before_look()
    back = located.search.stretch @ np.linalg.inv(search.stretch)  # from the mesh of one search to the other's
    guess = located.alignment.to_mesh.apply(located.alignment.shape[search.head.landmark_vertices])
    again = detect_from(
        search.vertices, search.visible, located.alignment.to_mesh.rotation.T, guess @ back, search.budget
    )
    return _align(search, again) if again is not None else None


def _seen_from_front(located: _Located) -> _Located:
    """Return the face as it was detected from its own front, if it is turned away from the view that found it."""
    for _ in range(MAX_TURNS):
        found, alignment = located.found, located.alignment
        if found.rotation is None or alignment.unmatched > MAX_UNMATCHED:
            break
        if np.trace(found.rotation @ alignment.to_mesh.rotation) > 1 + 2 * np.cos(MAX_TURN):
            break
        again = _look_again(located.search, located)
        if again is None or again.misfit >= located.misfit:
            break
        located = again
    return located


def _without_obstacles(located: _Located) -> _Located | None:
    """Return the face as it was detected without the pieces that hide it; None if it is no face without them."""
    visible = _uncovered(located)
    if len(visible) == len(located.search.visible):
        return located
    located = replace(located, misfit=np.inf)
    for _ in range(OBSTACLE_LOOKS):
        again = _look_again(replace(located.search, visible=visible), located)
        if again is None or again.misfit >= located.misfit:
            break
        located = again
    return located if np.isfinite(located.misfit) else None


def _uncovered(located: _Located) -> IntArray:
    """Return the triangles that may show the face, without pieces that hide it, as hair or a microphone.

    These are pieces that do not carry the face and lie in front of the aligned head.
    """
    search, target, shape = located.search, located.alignment.target, located.alignment.shape
    head, visible = search.head, search.visible
    middle = shape[head.landmark_vertices[INNER_LANDMARKS]].mean(0)
    skin = np.unique(search.piece[target.triangles[target.skin]])
    others = visible[~np.isin(search.piece[visible[:, 0]], skin)]
    others = others[np.linalg.norm(target.vertices[others].mean(1) - middle, axis=1) < 2 * INNER_FACE_RADIUS]
    if not len(others):
        return visible
    view = render(shape, head.faces, None, middle[[0, 2]], 2 * INNER_FACE_RADIUS, OBSTACLE_PIXELS)
    owner, weight = sample_surface(target.vertices, others, OBSTACLE_SPACING)
    points = blend_corners(target.vertices, others[owner], weight)
    pixels = np.floor(view.to_pixels(points[:, [0, 2]])).astype(int)
    inside = ((pixels >= 0) & (pixels < OBSTACLE_PIXELS)).all(1)
    column, row = pixels[inside].T
    in_front = view.depth[row, column] - points[inside, 1] > OBSTACLE_DISTANCE
    hiding = np.unique(search.piece[others[owner[inside][in_front], 0]])
    return visible[~np.isin(search.piece[visible[:, 0]], hiding)]


def _unstretched(located: _Located) -> _Located:
    """Return the face as it was detected in a mesh of ordinary proportions, if the head is stretched along an axis."""
    limit = STRETCHED
    for _ in range(MAX_UNSTRETCHED):
        search, found, alignment = located.search, located.found, located.alignment
        weight = np.where(np.arange(LANDMARK_COUNT) < JAW_LINE.stop, STRETCH_JAW_WEIGHT, 1.0)
        stretch, ratio = measure_stretch(search.head.landmarks68, found.points, weight, alignment.to_mesh.rotation)
        if ratio < limit:
            break
        back = np.linalg.inv(stretch)
        straight = replace(
            search,
            vertices=search.vertices @ back,
            landmarks=search.landmarks @ back,
            stretch=stretch @ search.stretch,
        )
        again = (
            _align(straight, replace(found, points=found.points @ back))
            if found.rotation is None
            else _look_again(straight, located)
        )
        if again is None or again.misfit >= located.misfit:
            break
        located, limit = again, STILL_STRETCHED
    return located


def _other_faces(search: _Search, located: _Located | None) -> list[_Located]:
    """Return the other large pieces of the mesh that are certainly faces, each detected alone."""
    from .landmark_detection import detect_from

    vertices, visible = search.vertices, search.visible
    triangle_piece = search.piece[visible[:, 0]]
    rotation: FloatArray = np.eye(3)
    known_piece, min_size = -1, 0.0
    if located is not None:
        to_mesh, target = located.alignment.to_mesh, located.alignment.target
        rotation, known_piece = to_mesh.rotation.T, search.piece[target.triangles[target.skin][0, 0]]
        min_size = MIN_FACE_SIZE * to_mesh.scale
    faces, budget = [], SearchBudget(PIECES_UNITS)
    for piece in np.argsort(-np.bincount(triangle_piece))[: MAX_PIECES + 1]:
        own = visible[triangle_piece == piece]
        used = used_vertices(own, len(vertices))
        if piece == known_piece or len(own) == len(visible):  # it was searched already
            continue
        if len(used) < MIN_FACE_VERTICES or np.ptp(vertices[used], axis=0).min() < min_size:
            continue
        if budget.is_spent and located is None:
            break
        search.before_look()
        found = detect_from(vertices, own, rotation, budget=budget)
        if found is None or found.spread > MAX_SPREAD:
            continue
        budget.spend(ALIGNMENT_UNITS)
        try:
            alignment = align(vertices, own, found.points, np.ones(len(own), dtype=bool), search.head)
        except LSFError:
            continue
        found_misfit = misfit(alignment, found.spread)
        if found_misfit < CERTAIN_MISFIT:
            faces.append(_Located(search, found, alignment, found_misfit))
    return faces
