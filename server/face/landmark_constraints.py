"""Landmark constraints: landmarks that an artist placed, all or some, and the others that follow from them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray, IntArray
from .geometry import fit_similarity, interpolate_offsets, nearest_points, used_vertices
from .head import LANDMARK_COUNT, Head

if TYPE_CHECKING:  # imports torch
    from .landmark_detection import LandmarkCandidate

MIN_POSE_POINTS = 4  # placed landmarks that determine size, position and direction of a face
MIN_FLATNESS = 0.05  # second extent of these points over their first: points on one line give no direction
CONSTRAINT_WIDTH = 0.025  # metres on the head: distance over which a placed landmark moves its neighbours
GUESS_CONFIDENCE = 0.1  # of landmarks that follow from the average head alone
OBSTACLE_DISTANCE = 0.1  # share of the face's extent: pieces that lie farther in front of the face are left out
MAX_DEVIATION = 0.15  # mean distance of detected from placed landmarks, as a share of the face's extent


def check_landmarks(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Return landmarks as floats (68, 3). A row of NaN is a landmark that is to be detected.

    Raises:
        LSFError: "bad_landmarks" for another shape, infinite or partly missing points, or points that all coincide.
    """
    points = np.array(landmarks, dtype=float)
    if points.shape != (LANDMARK_COUNT, 3):
        raise LSFError("bad_landmarks", "The landmarks must be 68 points (68, 3): reset them and place them again.")
    placed = placed_mask(points)
    if np.isinf(points).any() or not np.isnan(points[~placed]).all():
        raise LSFError(
            "bad_landmarks", "Each landmark must be a finite point or left out: reset them and place them again."
        )
    if placed.sum() > 1 and np.ptp(points[placed], axis=0).max() <= 0:
        raise LSFError("bad_landmarks", "All landmarks lie at one point: reset them and place them again.")
    return points


def placed_mask(landmarks: FloatArray) -> BoolArray:
    """Return which landmarks (68,) an artist placed."""
    return np.asarray(np.isfinite(landmarks).all(1))


def determines_pose(landmarks: FloatArray) -> bool:
    """Return whether the placed landmarks (68, 3), NaN where none is, determine position and direction of the face."""
    points = landmarks[placed_mask(landmarks)]
    if len(points) < MIN_POSE_POINTS:
        return False
    extents = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return bool(extents[1] > MIN_FLATNESS * extents[0])


def apply_constraints(points: FloatArray, landmarks: FloatArray, head: Head) -> FloatArray:
    """Move landmarks so that they agree with the placed ones; the neighbours of these move along.

    Args:
        points: Detected landmarks (68, 3).
        landmarks: Placed landmarks (68, 3), NaN where none is.
        head: The canonical head, on which the neighbourhood is measured.

    Returns:
        Landmarks (68, 3).
    """
    placed = placed_mask(landmarks)
    positions = head.landmarks68.astype(float)
    offsets = landmarks[placed] - points[placed]
    moved: FloatArray = points + interpolate_offsets(offsets, positions[placed], positions, CONSTRAINT_WIDTH)
    moved[placed] = landmarks[placed]
    return moved


def candidates_from_placed(
    vertices: FloatArray,
    triangles: IntArray,
    piece: IntArray,
    landmarks: FloatArray,
    head: Head,
    progress: Callable[[], None],
) -> Iterator["LandmarkCandidate"]:
    """Yield candidates for all landmarks where the placed ones determine the pose: detected first, then guessed.

    Args:
        vertices: Vertices (V, 3) in mesh units.
        triangles: Triangles (T, 3).
        piece: Connected piece of each vertex (V,).
        landmarks: Placed landmarks (68, 3), NaN where none is.
        head: The canonical head.
        progress: Called before the detection; an exception that it raises ends the search.
    """
    from .landmark_detection import LandmarkCandidate, detect_from

    placed = placed_mask(landmarks)
    to_mesh = fit_similarity(head.landmarks68[placed], landmarks[placed])
    guess, rotation = to_mesh.apply(head.landmarks68), to_mesh.rotation
    progress()
    visible = _without_obstacles(vertices, triangles, piece, landmarks[placed], guess, rotation)
    found = detect_from(vertices, visible, rotation.T, guess)
    if found is not None:
        deviation = np.linalg.norm((found.points - landmarks)[placed], axis=1).mean()
        if deviation < MAX_DEVIATION * np.ptp(guess @ rotation, axis=0).max():
            yield found
    confidence = np.full(LANDMARK_COUNT, GUESS_CONFIDENCE)
    yield LandmarkCandidate(apply_constraints(guess, landmarks, head), confidence, 0.0)


def _without_obstacles(
    vertices: FloatArray,
    triangles: IntArray,
    piece: IntArray,
    points: FloatArray,
    guess: FloatArray,
    rotation: FloatArray,
) -> IntArray:
    """Return the triangles without pieces such as hands, microphones or visors.

    These lie in front of the guessed face (68, 3), and carry none of the placed points (N, 3).
    """
    used = used_vertices(triangles, len(vertices))
    depth, turned = vertices @ rotation[:, 1], guess @ rotation
    foremost = np.full(piece.max() + 1, np.inf)
    np.minimum.at(foremost, piece[used], depth[used])
    obstacle: BoolArray = foremost < turned[:, 1].min() - OBSTACLE_DISTANCE * np.ptp(turned, axis=0).max()
    obstacle[piece[used[nearest_points(vertices[used], points)[1]]]] = False
    return triangles[~obstacle[piece[triangles[:, 0]]]]
