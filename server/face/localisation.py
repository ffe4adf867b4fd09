"""Where on a mesh the face is: candidates from the landmark networks, and the head that must fit to one of them."""

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import LSFError
from . import landmark_constraints as guided, parts
from . import head as h
from .refusals import no_face
from .registration import Alignment, align, deform

WORST_RESIDUAL = 0.003  # metres on a head of ordinary size, mean over the face after the identity fit
WORST_SPREAD = 0.012  # of automatic landmarks under zoom, as a share of the face's extent
PLACED_RESIDUAL = 1.5  # times the worst, where an artist placed enough landmarks
MOST_UNMATCHED = 0.5
MOST_TURNED, MOST_TURNS = np.radians(12), 3  # a face that looks farther away is looked at anew; so often
DOUBTFUL = 0.5  # confidence of a landmark below which the artist should look at it
CERTAIN = 0.6  # doubt below which something else on the mesh is another face
HEAD_VERTICES, HEAD_SIZE, MOST_PIECES = 200, 0.12, 4  # of pieces that may be another head (metres), and how many


def locate(vertices, triangles, piece, landmarks, given, head: h.Head, fitting: Callable, looking: Callable):
    """The face of the mesh as (landmarks.Found, Registration). Raises LSFError where there is none, or several.

    piece (V,) from parts.split, landmarks (68, 3) with NaN to be found, given (V,) parts as an artist said. `looking`
    and `fitting` are called before each step.
    """
    shown = triangles[~np.isin(given[triangles].max(1), (parts.FOLLOWING, parts.STILL))]
    if not len(shown):
        raise no_face()
    located = _first_that_fits(vertices, triangles, shown, piece, landmarks, given, head, fitting, looking)
    if not guided.tells_the_place(landmarks):
        others = _other_faces(vertices, shown, piece, located, head, looking)
        if located is None and len(others) == 1:
            located = others.pop()
        if others:
            raise LSFError(
                "several_faces",
                f"The mesh has {len(others) + (located is not None)} faces: select one "
                "character, or place landmarks on the face that is to speak.",
            )
    if located is None:
        raise no_face()
    found, alignment = located
    return found, deform(alignment, head)


def _first_that_fits(vertices, triangles, shown, piece, landmarks, given, head, fitting, looking):
    placed = guided.placed(landmarks)

    def fitted(found):
        """The candidate with what is known of it, its Alignment, and the doubt about both."""
        fitting()
        if placed.any():
            found.points = guided.bend(found.points, landmarks, head)
            found.confidence = np.where(placed, 1, found.confidence)
        skin = parts.skin_triangles(vertices, triangles, piece, given, found.points)
        trust = np.minimum(found.confidence / DOUBTFUL, 1)
        try:
            alignment = align(vertices, triangles, found.points, skin, head, trust, placed)
        except LSFError:
            return found, None, np.inf
        return found, alignment, doubt(alignment, found.spread, placed.sum() >= guided.ENOUGH)

    for found in _candidates(vertices, shown, piece, landmarks, head, looking):
        found, alignment, doubtful = fitted(found)
        for _ in range(MOST_TURNS):
            again = _look_from_the_front(vertices, shown, found, alignment, head, looking)
            closer = fitted(again) if again is not None else (None, None, np.inf)
            if closer[2] >= doubtful:
                break
            found, alignment, doubtful = closer
        if doubtful <= 1:
            return found, alignment
    return None


def _look_from_the_front(vertices, shown, found, alignment, head, looking):
    """Another look at a face that turned out to face elsewhere than where it was looked at from; None if it did not."""
    from .landmark_detection import find_facing

    if alignment is None or found.view is None or alignment.unmatched > MOST_UNMATCHED:
        return None
    frame = alignment.frame
    if np.trace(found.view @ frame.rotation) > 1 + 2 * np.cos(MOST_TURNED):
        return None
    looking()
    return find_facing(vertices, shown, frame.rotation.T, frame.there(alignment.shape[head.landmark_vertices]))


def _candidates(vertices, triangles, piece, landmarks, head, looking) -> Iterator:
    """Where the face may be, the likeliest first; what an artist placed shows the way."""
    from .landmark_detection import Found, find_landmarks  # torch is only needed here

    if guided.placed(landmarks).all():
        yield Found(landmarks, np.ones(68), 0.0)
    elif guided.tells_the_place(landmarks):
        yield from guided.from_few(vertices, triangles, piece, landmarks, head, looking)
    else:
        yield from find_landmarks(vertices, triangles, looking)


def doubt(alignment: Alignment, spread: float, placed: bool = False) -> float:
    """Above 1 it is no face: the head does not fit, or the landmarks moved under zoom. Less is asked of a face that an
    artist pointed at.
    """
    misfit = alignment.residual / WORST_RESIDUAL
    if alignment.unmatched > MOST_UNMATCHED:
        return np.inf
    return misfit / PLACED_RESIDUAL if placed else 0.5 * misfit + 0.5 * spread / WORST_SPREAD


def _other_faces(vertices, triangles, piece, located, head, looking) -> list:
    """(Found, Alignment) of the other large pieces of the mesh that are faces beyond doubt, seen alone."""
    from .landmark_detection import find_facing

    members = piece[triangles[:, 0]]
    rotation, known, least = np.eye(3), -1, 0.0
    if located is not None:
        frame, target = located[1].frame, located[1].target
        rotation, known = frame.rotation.T, piece[target.triangles[target.skin][0, 0]]
        least = HEAD_SIZE * frame.scale
    faces = []
    for p in np.argsort(-np.bincount(members))[: MOST_PIECES + 1]:
        own = triangles[members == p]
        used = np.unique(own)
        if p == known or len(own) == len(triangles):  # what was seen already
            continue
        if len(used) < HEAD_VERTICES or np.ptp(vertices[used], axis=0).min() < least:
            continue
        looking()
        found = find_facing(vertices, own, rotation)
        if found is None or found.spread > WORST_SPREAD:
            continue
        try:
            alignment = align(vertices, own, found.points, np.ones(len(own), dtype=bool), head)
        except LSFError:
            continue
        if doubt(alignment, found.spread) < CERTAIN:
            faces.append((found, alignment))
    return faces
