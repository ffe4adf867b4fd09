"""Landmarks that an artist placed, all or a few: they bind, and where the other ones lie follows from them."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.spatial import cKDTree

from ..errors import LSFError
from . import head as h
from .geometry import similarity, spread

ENOUGH = 4  # points that give size, place and direction of a face
FLATTEST = 0.05  # second extent over first of points that still give a direction
CORRECTION_REACH = 0.025  # metres on the head: so far a correction of one landmark moves its neighbours too
GUESSED = 0.1  # confidence of points that only follow from the average head
OBSTACLE = 0.1  # of the face's extent before it: what stands out farther is not looked at
WORST_MISS = 0.15  # mean distance of found points to placed ones, as a share of the face's extent


def check_landmarks(landmarks) -> np.ndarray:
    """(68, 3) floats; a row of NaN is a landmark that is to be found. Raises LSFError."""
    landmarks = np.array(landmarks, dtype=float)
    if landmarks.shape != (68, 3):
        raise LSFError("bad_landmarks", "The landmarks must be 68 points (68, 3): reset them and place them again.")
    placed = np.isfinite(landmarks).all(1)
    if np.isinf(landmarks).any() or not np.isnan(landmarks[~placed]).all():
        raise LSFError(
            "bad_landmarks", "Each landmark must be a finite point or left out: reset them and place them again."
        )
    if placed.sum() > 1 and np.ptp(landmarks[placed], axis=0).max() <= 0:
        raise LSFError("bad_landmarks", "All landmarks lie at one point: reset them and place them again.")
    return landmarks


def placed(landmarks) -> np.ndarray:
    """(68,) bool."""
    return np.isfinite(landmarks).all(1)


def tells_the_place(landmarks) -> bool:
    """Are these enough points to know where the face is and where it looks?"""
    points = landmarks[placed(landmarks)]
    if len(points) < ENOUGH:
        return False
    size = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return bool(size[1] > FLATTEST * size[0])


def bend(points, landmarks, head: h.Head) -> np.ndarray:
    """(68, 3) points moved so that they agree with the landmarks that are placed; neighbours move along."""
    fixed = placed(landmarks)
    places = head.landmarks68.astype(float)
    moved = points + spread(landmarks[fixed] - points[fixed], places[fixed], places, CORRECTION_REACH)
    moved[fixed] = landmarks[fixed]
    return moved


def from_few(vertices, triangles, piece, landmarks, head: h.Head, step: Callable[[], None]) -> Iterator:
    """Candidates for all landmarks where the placed ones tell where the face is: looked for there, then guessed."""
    from .landmark_detection import Found, find_facing

    fixed = placed(landmarks)
    scale, rotation, shift = similarity(head.landmarks68[fixed], landmarks[fixed])
    guess = scale * head.landmarks68 @ rotation.T + shift
    step()
    clear = _without_obstacles(vertices, triangles, piece, landmarks[fixed], guess, rotation)
    found = find_facing(vertices, clear, rotation.T, guess)
    if found is not None:
        miss = np.linalg.norm((found.points - landmarks)[fixed], axis=1).mean()
        if miss < WORST_MISS * np.ptp(guess @ rotation, axis=0).max():
            yield found
    yield Found(bend(guess, landmarks, head), np.full(68, GUESSED), 0.0)


def _without_obstacles(vertices, triangles, piece, points, guess, rotation):
    """The triangles without pieces that stand out before the guessed face (68, 3) and carry none of the placed points:
    hands, microphones, visors.
    """
    used = np.unique(triangles)
    depth, places = vertices @ rotation[:, 1], guess @ rotation
    foremost = np.full(piece.max() + 1, np.inf)
    np.minimum.at(foremost, piece[used], depth[used])
    before = foremost < places[:, 1].min() - OBSTACLE * np.ptp(places, axis=0).max()
    before[piece[used[cKDTree(vertices[used]).query(points)[1]]]] = False
    return triangles[~before[piece[triangles[:, 0]]]]
