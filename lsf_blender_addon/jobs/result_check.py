"""Compares what a line moves on the evaluated mesh with what was meant, and says it. No bpy.

A line's curves may be right, and still nothing moves: a key has no shape, is muted, or its slider ends too early. So
the distance between the lips, and between the lids, is measured on the mesh that the artist sees.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..prediction.lips import EYE_DISTANCE, LEFT_EYE, RIGHT_EYE

LIPS, RIGHT_LIDS, LEFT_LIDS = range(3)  # the gaps that are measured
GAPS = np.array([(62, 66), (37, 41), (44, 46)])  # upper and lower landmark of each: iBUG-68

LEAST_MOVE = 1.0  # millimetres: a smaller change of a gap is not worth a sentence
LEAST_SHARE = 0.5  # of the change that was meant: a smaller one is told with its cause
MOST_SHARE = 1.3  # of the change that was meant: a larger one is told, as something else opens the mouth, too
LARGEST_REST = 1.0  # millimetres that lips may stay farther apart at a closure than was meant
LARGEST_TURNED = 0.01  # of the triangles of the head: more of them turned over are told

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Expectation:
    """How wide the mouth and the eyes of a head were meant to be, relative to the head at rest.

    Attributes:
        vertices: Vertices (3, 2) of the head at both sides of each gap.
        face: Vertices at the outer corners of the right and the left eye.
        millimetres: Millimetres of a human face in one unit of the world.
        frames: Rows (3,) of the line's motion: the mouth widest open, the lips closest together, the lids lowest.
        changes: Change (3, 3) of each gap in these frames against rest, in millimetres.
    """

    vertices: NDArray[np.intp]
    face: tuple[int, int]
    millimetres: float
    frames: tuple[int, ...]
    changes: Floats


@dataclass(frozen=True)
class Measurement:
    """What was measured on the evaluated mesh in the frames of an Expectation.

    Attributes:
        changes: Change (3, 3) of each gap against rest, in millimetres.
        turned: Share of the head's triangles that are turned over where the mouth is widest open.
    """

    changes: Floats
    turned: float


def expect(
    vertices: Floats,
    landmark_vertices: NDArray[np.integer],
    basis: Floats,
    motion: Floats,
) -> Expectation | None:
    """Compute what a motion is meant to do to the gaps of a face.

    Args:
        vertices: Vertices (V, 3) of the head at rest, in the axes and units of the world.
        landmark_vertices: Vertices (68,) nearest to the landmarks.
        basis: Offsets (K, V, 3) for each channel at value 1.
        motion: Values (F, K) of the channels.

    Returns:
        None if the landmarks are not on the head, or have no distance.
    """
    marks = np.asarray(landmark_vertices, np.intp)
    if marks.min() < 0 or marks.max() >= len(vertices):
        return None
    face = int(marks[RIGHT_EYE]), int(marks[LEFT_EYE])
    size = float(np.linalg.norm(vertices[face[1]] - vertices[face[0]]))
    ends = marks[GAPS]
    if size <= 0:
        return None
    scale = EYE_DISTANCE / size
    across = basis[:, ends[:, 0]] - basis[:, ends[:, 1]]
    rest = vertices[ends[:, 0]] - vertices[ends[:, 1]]
    gaps = np.linalg.norm(rest + np.einsum("fk,kgd->fgd", motion, across), axis=-1)
    change = (gaps - np.linalg.norm(rest, axis=-1)) * scale
    mouth = change[:, LIPS]
    picked = [int(mouth.argmax()), int(mouth.argmin()), int(change[:, RIGHT_LIDS:].sum(1).argmin())]
    return Expectation(ends, face, scale, tuple(picked), change[picked])


def measure(expected: Expectation, rest: Floats, posed: Floats, triangles: NDArray[np.integer]) -> Measurement:
    """Measure the gaps on an evaluated mesh.

    Args:
        expected: What was meant.
        rest: Evaluated vertices (V, 3) where the line is at rest, in the axes and units of the world.
        posed: Evaluated vertices (3, V, 3) in the expectation's frames.
        triangles: Triangles (T, 3).
    """
    upper, lower = expected.vertices.T
    gaps = np.linalg.norm(posed[:, upper] - posed[:, lower], axis=-1)
    changes = (gaps - np.linalg.norm(rest[upper] - rest[lower], axis=-1)) * expected.millimetres
    return Measurement(changes, _turned_share(rest, posed[0], triangles))


def describe(
    expected: Expectation, found: Measurement, first_frame: int, cause: str, iface: Callable[[str], str] = str
) -> str:
    """Say what moves on the mesh, as the continuation of a sentence.

    Args:
        expected: What was meant.
        found: What was measured.
        first_frame: Scene frame of the motion's first row.
        cause: Why the lips part too little; empty if that is not known.
        iface: Translates the text.
    """
    text, says_cause = "", too_little(expected, found)
    meant, seen = float(expected.changes[0, LIPS]), float(found.changes[0, LIPS])
    if meant >= LEAST_MOVE:
        text += iface("; the lips part by {seen} of {meant} mm").format(seen=_rounded(seen), meant=_rounded(meant))
        if too_much(expected, found):
            text += iface("; something else opens the mouth, too: look for other curves, drivers and bones")
        elif says_cause:
            text += ": " + (cause or iface("press Check Character to see why"))
    apart = float(found.changes[1, LIPS] - max(expected.changes[1, LIPS], 0.0))
    if apart > LARGEST_REST and not says_cause:
        text += iface("; at frame {frame} they stay {apart} mm too far apart").format(
            frame=first_frame + expected.frames[1], apart=_rounded(apart)
        )
    meant, seen = (-float(gaps.changes[2, RIGHT_LIDS:].mean()) for gaps in (expected, found))
    if meant >= LEAST_MOVE and seen < LEAST_SHARE * meant and not says_cause:
        text += iface("; the eyelids close by {seen} of {meant} mm").format(seen=_rounded(seen), meant=_rounded(meant))
    if found.turned > LARGEST_TURNED:
        text += iface("; {percent} % of its triangles turn over at frame {frame}: check the landmarks").format(
            percent=f"{100 * found.turned:.0f}", frame=first_frame + expected.frames[0]
        )
    return text


def too_little(expected: Expectation, found: Measurement) -> bool:
    """Whether the lips part much less than was meant."""
    meant = float(expected.changes[0, LIPS])
    return meant >= LEAST_MOVE and float(found.changes[0, LIPS]) < LEAST_SHARE * meant


def too_much(expected: Expectation, found: Measurement) -> bool:
    """Whether the lips part much more than was meant."""
    meant, seen = float(expected.changes[0, LIPS]), float(found.changes[0, LIPS])
    return meant >= LEAST_MOVE and seen > MOST_SHARE * meant + LEAST_MOVE


def _rounded(millimetres: float) -> str:
    """A distance with one decimal; 0.0 for one that went the wrong way by less than is seen."""
    return f"{millimetres if abs(millimetres) >= 0.05 else 0.0:.1f}"


def _turned_share(rest: Floats, posed: Floats, triangles: NDArray[np.integer]) -> float:
    """Share of the triangles whose normal points the other way, apart from the turn of the head as a whole."""
    if not len(triangles):
        return 0.0
    before, after = _normals(rest, triangles), _normals(posed, triangles)
    u, _, vt = np.linalg.svd(before.T @ after)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(((before @ turn * after).sum(1) < -0.1 * size).mean())


def _normals(vertices: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Normals (T, 3) of the triangles, as long as twice their area."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)
