"""Parts of a character (skin, eyes, teeth, tongue, lashes): recognises loose pieces and moves them like their part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray, IntArray
from . import eyeballs
from .eyeballs import Eye, Piece
from .geometry import (
    adjacency,
    bounding_box_centre,
    component_labels,
    nearest_points,
    nearest_with_like_normal,
    position_labels,
    search_tree,
    unique_edges,
    used_vertices,
    vertex_normals,
)
from .head import INNER_LANDMARKS, MOUTH_LANDMARKS, OUTER_EYE_CORNERS, Head, HeadPart
from .registration import Registration
from .target_mesh import TargetMesh

# Parts that a vertex of the user's mesh may belong to; these numbers are part of the protocol (docs/protocol.md).
AUTOMATIC, SKIN, UPPER_TEETH, LOWER_TEETH, TONGUE, LEFT_EYE, RIGHT_EYE, FOLLOWING, STILL = range(-1, 8)
NAMED = 256  # plus 2**part for each part that the name of a vertex's object or material allows: the shape counts too
# The parts of the canonical head whose motion each of them takes.
HEAD_PARTS = {
    UPPER_TEETH: (HeadPart.TEETH_UPPER, HeadPart.GUMS_UPPER),
    LOWER_TEETH: (HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER),
    TONGUE: (HeadPart.TONGUE,),
    LEFT_EYE: (HeadPart.EYE_LEFT,),
    RIGHT_EYE: (HeadPart.EYE_RIGHT,),
}
EYES, MOUTH = (LEFT_EYE, RIGHT_EYE), (UPPER_TEETH, LOWER_TEETH, TONGUE)

LANDMARK_REACH = 0.12  # of the distance of the outer eye corners: pieces up to this much farther than the nearest count
MAX_FOLLOWING_SIZE = 0.25  # metres: larger pieces are clothes and bodies, not lashes
# A piece in the mouth, as shares of the mouth's width: offsets sideways and up, depth, extent, gap behind the lips.
MAX_MOUTH_ASIDE, MAX_MOUTH_ABOVE, MAX_MOUTH_DEPTH, MAX_MOUTH_SIZE, MIN_MOUTH_GAP = 0.8, 0.7, 2.0, 2.0, 0.05
NAMED_MOUTH = 1.5  # times these limits, for a piece whose name says that it belongs into the mouth
SHELL_DEPTH = 0.7  # of the radius of its sphere: layers over an eye are about 0.4 deep, half spheres 1
WITHIN_EYE = 0.02  # of its radius: how far before an eyeball a piece may lie that belongs to it
NEAREST_CANDIDATES = 12  # vertices of the head among which the nearest with a like normal is chosen
JOINED_SHARE = 0.25  # a piece with at least this share in the upper and in the lower jaw joins them
BORDER_RINGS, SMOOTHING_ROUNDS = 2, 8  # of the border between upper and lower jaw in such a piece
TONGUE_NEIGHBOURS = 4  # vertices of the head's tongue that are blended


def connected_pieces(vertices: FloatArray, triangles: IntArray) -> IntArray:
    """Return the connected piece of every vertex.

    Vertices at exactly the same position are connected, because seams of UV maps and normals split vertices.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).

    Returns:
        Numbers from 0 (V,).
    """
    position = position_labels(vertices)
    corners = position[triangles]
    edges = np.concatenate([corners[:, :2], corners[:, 1:]])  # the third side joins nothing more
    return component_labels(edges, position.max() + 1)[position]


def check_parts(given: ArrayLike | None, count: int) -> tuple[IntArray, IntArray]:
    """Check the parts that an artist assigned, and those that names suggest.

    Args:
        given: SKIN, UPPER_TEETH, …, AUTOMATIC, or NAMED plus a bit for each part, for each vertex (count,); None:
            AUTOMATIC everywhere.
        count: Number of vertices.

    Returns:
        The assigned part of each vertex (count,), AUTOMATIC where none; and the bits 2**part (count,) that its name
        allows, 0 where it tells nothing.

    Raises:
        LSFError: "bad_parts" for another shape or unknown numbers.
    """
    if given is None:
        return np.full(count, AUTOMATIC), np.zeros(count, int)
    given = np.asarray(given)
    most = NAMED + (1 << STILL + 1) - 1
    if given.shape != (count,) or given.dtype.kind not in "iu":
        given = np.full(1, most + 1)
    is_named = (given > NAMED) & (given <= most)
    if not (is_named | (given >= AUTOMATIC) & (given <= STILL)).all():
        raise LSFError(
            "bad_parts",
            f"The parts must be a whole number from {AUTOMATIC} to {STILL}, or from {NAMED + 1} to {most}, for each "
            "vertex.",
        )
    return np.where(is_named, AUTOMATIC, given).astype(int), np.where(is_named, given - NAMED, 0).astype(int)


@dataclass(frozen=True)
class Doubt:
    """A piece whose name and shape contradict each other.

    Attributes:
        vertex: One of its vertices.
        part: The part that it is taken for.
        named: The parts that its name allows.
        by_name: Whether the name decided; otherwise the shape.
    """

    vertex: int
    part: int
    named: tuple[int, ...]
    by_name: bool


def canonical_parts(head: Head) -> NDArray[np.int32]:
    """Return the part of each vertex of the canonical head (H,): SKIN, UPPER_TEETH, …."""
    vertex_part = np.full(len(head.part), SKIN, np.int32)
    for part, head_parts in HEAD_PARTS.items():
        vertex_part[np.isin(head.part, head_parts)] = part
    return vertex_part


def group_by_piece(piece: IntArray, rows: IntArray) -> list[IntArray]:
    """Return the vertices `rows` (N,), one array for each of their pieces."""
    rows = rows[np.argsort(piece[rows], kind="stable")]
    return list(np.split(rows, np.flatnonzero(np.diff(piece[rows])) + 1)) if len(rows) else []


def main_piece(vertices: FloatArray, triangles: IntArray, piece: IntArray, landmarks: FloatArray) -> int:
    """Return the piece that carries the face: the one near the most inner landmarks; of several, the largest.

    Args:
        vertices: Vertices (V, 3).
        triangles: The triangles that may be the face (T, 3).
        piece: Connected piece of each vertex (V,).
        landmarks: Landmarks (68, 3).
    """
    used = used_vertices(triangles, len(vertices))
    tree = search_tree(vertices[used])
    right, left = OUTER_EYE_CORNERS
    inner = landmarks[INNER_LANDMARKS]
    reach = np.linalg.norm(landmarks[right] - landmarks[left]) * LANDMARK_REACH + tree.query(inner)[0]
    score = 1e-6 * np.bincount(piece[used])
    for near in tree.query_ball_point(inner, reach):
        score[np.unique(piece[used[near]])] += 1
    return int(score.argmax())


def skin_triangles(
    vertices: FloatArray, triangles: IntArray, piece: IntArray, given: IntArray, landmarks: FloatArray
) -> BoolArray:
    """Return which triangles (T,) are the skin of the face: as an artist assigned it, else the piece with the face.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).
        piece: Connected piece of each vertex (V,).
        given: Part that an artist assigned to each vertex (V,).
        landmarks: Landmarks (68, 3).
    """
    triangle_part = given[triangles].max(1)
    unknown = triangle_part == AUTOMATIC
    skin: BoolArray = triangle_part == SKIN
    if unknown.any():
        candidates = triangles[unknown | skin]
        skin |= unknown & (piece[triangles[:, 0]] == main_piece(vertices, candidates, piece, landmarks))
    return skin


def classify_parts(
    registration: Registration, head: Head, piece: IntArray, given: IntArray, named: IntArray
) -> tuple[IntArray, list[Doubt]]:
    """Recognise the part of every vertex of the mesh.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        piece: Connected piece of each vertex (V,).
        given: Part that an artist assigned to each vertex (V,); only AUTOMATIC ones are recognised.
        named: Bits of the parts that names allow (V,), as from `check_parts`.

    Returns:
        Part of each vertex (V,): SKIN, UPPER_TEETH, …; and the pieces whose names contradict their shapes.
    """
    target = registration.target
    vertex_part = given.copy()
    skin = target.skin_vertices()
    vertex_part[skin[given[skin] == AUTOMATIC]] = SKIN
    unknown = np.zeros(len(target.vertices), dtype=bool)
    unknown[target.triangles] = True
    unknown &= vertex_part == AUTOMATIC
    recognition, doubts, small = _Recognition(registration, head, piece), [], []
    for rows in group_by_piece(piece, np.flatnonzero(unknown)):
        allowed = _allowed(named[rows])
        vertex_part[rows], by_name = recognition.recognise(rows, allowed)
        if not allowed and np.isin(vertex_part[rows], (FOLLOWING, STILL)).all():
            small.append(rows)
        if by_name or (allowed and not np.isin(vertex_part[rows], allowed).all()):
            doubts.append(Doubt(int(rows[0]), int(vertex_part[rows[0]]), allowed, by_name))
    for rows in small:
        vertex_part[rows] = recognition.within_eye(rows, vertex_part[rows])
    for rows, eye in recognition.shells:
        if not (vertex_part == eye).any():  # what it should lie over is missing: it may be the eyeball itself
            doubts.append(Doubt(int(rows[0]), FOLLOWING, (FOLLOWING,), by_name=True))
    loose = vertex_part == AUTOMATIC  # no triangle uses these
    vertex_part[loose] = STILL
    for part in range(STILL):
        vertex_part[loose & (named == 1 << part)] = part
    return vertex_part, sorted(doubts, key=lambda doubt: doubt.vertex)


def _allowed(named: IntArray) -> tuple[int, ...]:
    """Return the parts that the name of most vertices of a piece allows; none if that tells nothing."""
    bits = int(np.bincount(named).argmax())
    return tuple(part for part in range(STILL + 1) if bits >> part & 1)


class _Recognition:
    """Recognises pieces of a mesh by shape, place and name."""

    def __init__(self, registration: Registration, head: Head, piece: IntArray):
        self.target, fitted = registration.target, registration.fitted
        self.eyes = {part: Eye.of(head, fitted, HEAD_PARTS[part][0]) for part in EYES}
        self.found: dict[int, list[Piece]] = {part: [] for part in EYES}  # balls and caps so far
        self.shells: list[tuple[IntArray, int]] = []  # vertices of deep caps that names call lashes, and over which eye
        self.lips = fitted[head.landmark_vertices[MOUTH_LANDMARKS]]
        self.nearest_mouth_part = _NearestMouthPart(head, fitted)
        self.pieces = _Pieces(self.target, piece)

    def recognise(self, rows: IntArray, allowed: tuple[int, ...]) -> tuple[IntArray, bool]:
        """Return the part (N,) of the vertices `rows` (N,) of a piece, and whether its name decided against its shape.

        Args:
            rows: The vertices.
            allowed: The parts that the piece's name allows; empty if the name tells nothing.
        """
        members = self.target.vertices[rows]
        eye, is_deep = self._eye(rows)
        in_mouth = eye is None and _is_in_mouth(self.lips, members)
        if allowed == (FOLLOWING,) and not is_deep:  # lashes lie on a ball, and what covers an eye is a cap
            if eye is not None and self._is_half_sphere(rows):
                self.shells.append((rows, eye))
            return np.full(len(rows), FOLLOWING), False
        if allowed and eye is None:
            if set(allowed) <= set(EYES) and (near := self._nearest_eye(rows)) is not None:
                return np.full(len(rows), near), True
            if set(allowed) <= set(MOUTH) and _is_in_mouth(self.lips, members, NAMED_MOUTH):
                return self._mouth_parts(rows, allowed), not in_mouth
        if eye is not None:
            self.found[eye].append(self.pieces.of(rows))
            return np.full(len(rows), eye), False
        if in_mouth:
            return self._mouth_parts(rows, MOUTH), False
        is_small = np.ptp(members, axis=0).max() < MAX_FOLLOWING_SIZE
        return np.full(len(rows), FOLLOWING if is_small else STILL), False

    def within_eye(self, rows: IntArray, vertex_part: IntArray) -> IntArray:
        """Return the parts (N,) of vertices (N,): the eye in whose ball all lie, like a pupil; else `vertex_part`."""
        members = self.target.vertices[rows]
        for eye, pieces in self.found.items():
            for sphere in (piece.sphere for piece in pieces):
                inside = np.linalg.norm(members - sphere.centre, axis=1).max() < sphere.radius * (1 + WITHIN_EYE)
                if inside and self.eyes[eye].fits(sphere):
                    return np.full(len(rows), eye)
        return vertex_part

    def _eye(self, rows: IntArray) -> tuple[int | None, bool]:
        """Return which of EYES a piece is by shape and place, if any, and whether it is deeper than any lash."""
        if (near := self._nearest_eye(rows)) is None:
            return None, False
        piece, eye = self.pieces.of(rows), self.eyes[near]
        if not len(piece.triangles) or not (eye.is_ball(piece) or eye.shows(piece)):
            return None, False
        return near, eye.fits(piece.sphere) and piece.extent[1] > eyeballs.FULL_DEPTH * piece.sphere.radius

    def _is_half_sphere(self, rows: IntArray) -> bool:
        """Return whether a piece is as deep as an eyeball."""
        piece = self.pieces.of(rows)
        return bool(piece.sphere.deviation < eyeballs.ROUND and piece.extent[1] > SHELL_DEPTH * piece.sphere.radius)

    def _nearest_eye(self, rows: IntArray) -> int | None:
        """Return which of EYES a piece may be by its size and place, the nearer one; None if neither."""
        members = self.target.vertices[rows]
        near = [part for part, eye in self.eyes.items() if eye.holds(members)]
        centre = bounding_box_centre(members)
        return min(near, key=lambda part: float(np.linalg.norm(centre - self.eyes[part].middle)), default=None)

    def _mouth_parts(self, rows: IntArray, allowed: tuple[int, ...]) -> IntArray:
        """Return which of the allowed parts of the mouth each vertex of a piece belongs to, (N,)."""
        if len(allowed) == 1:
            return np.full(len(rows), allowed[0])
        own = self.nearest_mouth_part.find(self.target, rows, allowed)
        upper = (own == UPPER_TEETH).mean()
        joins_jaws = JOINED_SHARE < upper < 1 - JOINED_SHARE
        return own if joins_jaws else np.full(len(rows), np.bincount(own).argmax())


class _Pieces:
    """The triangles of each connected piece of a mesh."""

    def __init__(self, target: TargetMesh, piece: IntArray):
        self.target, self.piece = target, piece
        owner = piece[target.triangles[:, 0]]
        self.order = np.argsort(owner, kind="stable")
        self.first = np.searchsorted(owner[self.order], np.arange(piece.max() + 2))
        self.local = np.full(len(piece), -1)  # number of a vertex within the piece that is looked at
        self.last: tuple[int, Piece] | None = None

    def of(self, rows: IntArray) -> Piece:
        """Return the piece of the vertices `rows` (N,)."""
        if self.last is None or self.last[0] != rows[0]:
            number = self.piece[rows[0]]
            self.local[rows] = np.arange(len(rows))
            triangles = self.local[self.target.triangles[self.order[self.first[number] : self.first[number + 1]]]]
            self.local[rows] = -1
            self.last = int(rows[0]), Piece(self.target.vertices[rows], triangles[(triangles >= 0).all(1)])
        return self.last[1]


class _NearestMouthPart:
    """Finds which part of the head's mouth is nearest and faces the same way: the tongue lies against the palate."""

    def __init__(self, head: Head, fitted: FloatArray):
        inside = np.flatnonzero(head.part >= HeadPart.TEETH_UPPER)
        self.points = fitted[inside]
        self.normals = vertex_normals(fitted, head.faces)[inside]
        self.vertex_part = canonical_parts(head)[inside]

    def find(self, target: TargetMesh, rows: IntArray, allowed: tuple[int, ...]) -> IntArray:
        """Return which of the allowed parts (N,) the vertices `rows` (N,) of the target are nearest to."""
        own = np.flatnonzero(np.isin(self.vertex_part, allowed))
        nearest = nearest_with_like_normal(
            self.points[own], self.normals[own], target.vertices[rows], target.normals[rows], NEAREST_CANDIDATES
        )
        return self.vertex_part[own[nearest]]


def _is_in_mouth(lips: FloatArray, members: FloatArray, slack: float = 1.0) -> bool:
    """Return whether a piece (N, 3) lies in the mouth, behind the lips' landmarks (20, 3); `slack` widens limits."""
    centre, extent = bounding_box_centre(members), np.ptp(members, axis=0)
    width = np.ptp(lips[:, 0])
    front, gap = lips[:, 1].min() - (slack - 1) * width, MIN_MOUTH_GAP * width if slack == 1 else 0.0
    return bool(
        abs(centre[0] - lips[:, 0].mean()) < MAX_MOUTH_ASIDE * slack * width
        and extent[0] < MAX_MOUTH_SIZE * slack * width
        and front < centre[1] < lips[:, 1].max() + MAX_MOUTH_DEPTH * slack * width
        and abs(centre[2] - lips[:, 2].mean()) < MAX_MOUTH_ABOVE * slack * width
        and np.median(members[:, 1]) > front + gap
    )


def transfer_to_parts(
    registration: Registration,
    head: Head,
    shapes: FloatArray,
    piece: IntArray,
    vertex_part: IntArray,
    basis: FloatArray,
) -> None:
    """Write the offsets of eyes, teeth and tongue.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        shapes: Offsets (52, H, 3) on the fitted head, metres.
        piece: Connected piece of each vertex (V,).
        vertex_part: Part of each vertex (V,).
        basis: Offsets (52, V, 3) in the head's frame, metres. Changed in place.
    """
    points, fitted = registration.target.vertices, registration.fitted
    pieces = _Pieces(registration.target, piece)
    for part in (*EYES, *MOUTH):
        members = np.flatnonzero(vertex_part == part)
        if not len(members):
            continue
        own = np.flatnonzero(np.isin(head.part, HEAD_PARTS[part]))
        if part in EYES:
            eye = Eye.of(head, fitted, HEAD_PARTS[part][0])
            pivot = eye.pivot([pieces.of(rows) for rows in group_by_piece(piece, members)])
            basis[:, members] = eyeballs.rotate(head, own, points[members], pivot)
        else:
            follow = _follow_nearest if part == TONGUE else _follow_affinely
            basis[:, members] = follow(fitted[own], shapes[:, own], points[members])
    _smooth_jaw_border(registration.target.triangles, vertex_part, basis)


def _smooth_jaw_border(triangles: IntArray, vertex_part: IntArray, basis: FloatArray) -> None:
    """Smooth the motion between upper and lower jaw where one piece holds both, in place."""
    edges = unique_edges(triangles[np.isin(vertex_part[triangles], MOUTH).all(1)])
    graph = adjacency(edges, len(vertex_part))
    upper = vertex_part == UPPER_TEETH
    border = np.zeros(len(vertex_part), dtype=bool)
    border[edges[upper[edges[:, 0]] != upper[edges[:, 1]]]] = True
    for _ in range(BORDER_RINGS - 1):
        border |= graph @ border > 0
    rows = np.flatnonzero(border)
    if not len(rows):
        return
    mean = sparse.csr_matrix(graph[rows].multiply(1 / np.maximum(graph[rows].sum(1), 1)))
    around = np.unique(mean.indices)
    mean = mean[:, around]
    for _ in range(SMOOTHING_ROUNDS):
        flat = basis[:, around].transpose(1, 0, 2).reshape(len(around), -1)
        basis[:, rows] = (mean @ flat).reshape(len(rows), len(basis), 3).transpose(1, 0, 2)


def _follow_nearest(own: FloatArray, shapes: FloatArray, points: FloatArray) -> FloatArray:
    """Return offsets (52, N, 3) of points (N, 3): the weighted mean of the nearest vertices `own` (M, 3)."""
    distance, near = nearest_points(own, points, TONGUE_NEIGHBOURS)
    weight = 1 / (distance + 1e-3)
    weight /= weight.sum(1, keepdims=True)
    offsets: FloatArray = (shapes[:, near] * weight[..., None]).sum(2)
    return offsets


def _follow_affinely(own: FloatArray, shapes: FloatArray, points: FloatArray) -> FloatArray:
    """Return offsets (52, N, 3) of points (N, 3): the affine motion of the head's own teeth and gums `own` (M, 3)."""
    source = np.column_stack([own, np.ones(len(own))])
    affine: FloatArray = np.linalg.lstsq(source, shapes.transpose(1, 0, 2).reshape(len(own), -1), rcond=None)[0]
    moved: FloatArray = np.column_stack([points, np.ones(len(points))]) @ affine
    return moved.reshape(len(points), -1, 3).transpose(1, 0, 2)
