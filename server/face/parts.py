"""Parts of a character (skin, eyes, teeth, tongue, lashes): recognises loose pieces and moves them like their part."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray, IntArray
from .geometry import (
    adjacency,
    bounding_box_centre,
    component_labels,
    fit_similarity,
    nearest_points,
    nearest_with_like_normal,
    position_labels,
    unique_edges,
    vertex_normals,
)
from .head import INNER_LANDMARKS, MOUTH_LANDMARKS, OUTER_EYE_CORNERS, Head, HeadPart
from .registration import Registration
from .target_mesh import TargetMesh

# Parts that a vertex of the user's mesh may belong to; these numbers are part of the protocol (docs/protocol.md).
AUTOMATIC, SKIN, UPPER_TEETH, LOWER_TEETH, TONGUE, LEFT_EYE, RIGHT_EYE, FOLLOWING, STILL = range(-1, 8)
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
MAX_EYE_DEVIATION = 0.25  # standard deviation of the radius of a ball, as a share of the radius
# An eye piece, as shares of the head's own eyeball radius: offset of its centre, half its extent, least height.
MAX_EYE_OFFSET, MIN_EYE_SIZE, MAX_EYE_SIZE, MIN_EYE_HEIGHT = 0.9, 0.25, 2.2, 0.5
# A piece in the mouth, as shares of the mouth's width: offsets sideways and up, depth, extent, gap behind the lips.
MAX_MOUTH_ASIDE, MAX_MOUTH_ABOVE, MAX_MOUTH_DEPTH, MAX_MOUTH_SIZE, MIN_MOUTH_GAP = 0.8, 0.7, 2.0, 2.0, 0.05
NEAREST_CANDIDATES = 12  # vertices of the head among which the nearest with a like normal is chosen
JOINED_SHARE = 0.25  # a piece with at least this share in the upper and in the lower jaw joins them
BORDER_RINGS, SMOOTHING_ROUNDS = 2, 8  # of the border between upper and lower jaw in such a piece
TONGUE_NEIGHBOURS = 4  # vertices of the head's tongue that are blended
MIN_LOOK = 1e-6  # metres: channels that move an eyeball less do not turn it


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
    return component_labels(unique_edges(position[triangles]), position.max() + 1)[position]


def check_parts(given: ArrayLike | None, count: int) -> IntArray:
    """Check the parts that an artist assigned.

    Args:
        given: SKIN, UPPER_TEETH, … or AUTOMATIC for each vertex (count,); None: AUTOMATIC everywhere.
        count: Number of vertices.

    Returns:
        Part of each vertex (count,).

    Raises:
        LSFError: "bad_parts" for another shape or unknown numbers.
    """
    if given is None:
        return np.full(count, AUTOMATIC)
    given = np.asarray(given)
    if given.shape != (count,) or given.dtype.kind not in "iu" or not ((given >= AUTOMATIC) & (given <= STILL)).all():
        raise LSFError("bad_parts", f"The parts must be a whole number from {AUTOMATIC} to {STILL} for each vertex.")
    return given.astype(int)


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
    used = np.unique(triangles)
    tree = cKDTree(vertices[used])
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


def classify_parts(registration: Registration, head: Head, piece: IntArray, given: IntArray) -> IntArray:
    """Recognise the part of every vertex of the mesh.

    Args:
        registration: The head, fitted to the mesh.
        head: The canonical head.
        piece: Connected piece of each vertex (V,).
        given: Part that an artist assigned to each vertex (V,); only AUTOMATIC ones are recognised.

    Returns:
        Part of each vertex (V,): SKIN, UPPER_TEETH, ….
    """
    target = registration.target
    points, fitted = target.vertices, registration.fitted
    vertex_part = given.copy()
    skin = np.unique(target.triangles[target.skin])
    vertex_part[skin[given[skin] == AUTOMATIC]] = SKIN
    unknown = np.zeros(len(points), dtype=bool)
    unknown[np.unique(target.triangles)] = True
    unknown &= vertex_part == AUTOMATIC
    lips = fitted[head.landmark_vertices[MOUTH_LANDMARKS]]
    nearest_part = _NearestMouthPart(head, fitted)
    for rows in group_by_piece(piece, np.flatnonzero(unknown)):
        members = points[rows]
        vertex_part[rows] = FOLLOWING if np.ptp(members, axis=0).max() < MAX_FOLLOWING_SIZE else STILL
        eye = _recognise_eye(head, fitted, members)
        if eye is not None:
            vertex_part[rows] = eye
        elif _is_in_mouth(lips, members):
            own = nearest_part.find(target, rows)
            upper = (own == UPPER_TEETH).mean()
            joins_jaws = JOINED_SHARE < upper < 1 - JOINED_SHARE
            vertex_part[rows] = own if joins_jaws else np.bincount(own).argmax()
    vertex_part[vertex_part == AUTOMATIC] = STILL  # vertices that no triangle uses
    return vertex_part


class _NearestMouthPart:
    """Finds which part of the head's mouth is nearest and faces the same way: the tongue lies against the palate."""

    def __init__(self, head: Head, fitted: FloatArray):
        inside = np.flatnonzero(head.part >= HeadPart.TEETH_UPPER)
        self.points = fitted[inside]
        self.normals = vertex_normals(fitted, head.faces)[inside]
        self.vertex_part = canonical_parts(head)[inside]

    def find(self, target: TargetMesh, rows: IntArray) -> IntArray:
        """Return the part (N,) for the vertices `rows` (N,) of the target."""
        nearest = nearest_with_like_normal(
            self.points, self.normals, target.vertices[rows], target.normals[rows], NEAREST_CANDIDATES
        )
        return self.vertex_part[nearest]


def _recognise_eye(head: Head, fitted: FloatArray, members: FloatArray) -> int | None:
    """Return LEFT_EYE or RIGHT_EYE if a piece (N, 3) is a ball, or a part of one, where an eye is; else None."""
    centre, extent = bounding_box_centre(members), np.ptp(members, axis=0)
    for part in EYES:
        middle, radius = eyeball(head, fitted, part)
        near = np.linalg.norm(centre - middle) < MAX_EYE_OFFSET * radius
        sized = MIN_EYE_SIZE * radius < extent.max() / 2 < MAX_EYE_SIZE * radius
        if near and sized and extent[2] > MIN_EYE_HEIGHT * radius:
            distance = np.linalg.norm(members - sphere_centre(members), axis=1)
            if distance.std() < MAX_EYE_DEVIATION * distance.mean():
                return part
    return None


def eyeball(head: Head, fitted: FloatArray, part: int) -> tuple[FloatArray, float]:
    """Return centre (3,) and radius, metres, of the fitted head's own eyeball.

    Args:
        head: The canonical head.
        fitted: Its vertices, fitted to a mesh (H, 3), metres.
        part: LEFT_EYE or RIGHT_EYE.
    """
    ball = fitted[np.isin(head.part, HEAD_PARTS[part])]
    return bounding_box_centre(ball), np.ptp(ball, axis=0).mean() / 2


def _is_in_mouth(lips: FloatArray, members: FloatArray) -> bool:
    """Return whether a piece (N, 3) lies in the mouth, behind the lips' landmarks (20, 3)."""
    centre, extent = bounding_box_centre(members), np.ptp(members, axis=0)
    width = np.ptp(lips[:, 0])
    front = lips[:, 1].min()
    return bool(
        abs(centre[0] - lips[:, 0].mean()) < MAX_MOUTH_ASIDE * width
        and extent[0] < MAX_MOUTH_SIZE * width
        and front < centre[1] < lips[:, 1].max() + MAX_MOUTH_DEPTH * width
        and abs(centre[2] - lips[:, 2].mean()) < MAX_MOUTH_ABOVE * width
        and np.median(members[:, 1]) > front + MIN_MOUTH_GAP * width
    )


def sphere_centre(points: FloatArray) -> FloatArray:
    """Return the centre (3,) of the sphere through points (N, 3), by linear (algebraic) least squares."""
    a = np.column_stack([2 * points, np.ones(len(points))])
    solution: FloatArray = np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0]
    return solution[:3]


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
    for part in (*EYES, *MOUTH):
        members = np.flatnonzero(vertex_part == part)
        if not len(members):
            continue
        own = np.flatnonzero(np.isin(head.part, HEAD_PARTS[part]))
        if part in EYES:
            pivot = _eye_pivot(head, fitted, part, points, piece, members)
            basis[:, members] = _rotate_eye(head, own, points[members], pivot)
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
    for _ in range(SMOOTHING_ROUNDS):
        flat = basis.transpose(1, 0, 2).reshape(len(vertex_part), -1)
        basis[:, rows] = (mean @ flat).reshape(len(rows), len(basis), 3).transpose(1, 0, 2)


def _eye_pivot(
    head: Head, fitted: FloatArray, part: int, points: FloatArray, piece: IntArray, members: IntArray
) -> FloatArray:
    """Return the point (3,) about which all pieces of an eye (ball, iris, cornea) rotate.

    It is the centre of the thickest piece if that is a ball, else of the head's own eyeball.
    """
    middle, radius = eyeball(head, fitted, part)
    pieces = (points[rows] for rows in group_by_piece(piece, members))
    centre = sphere_centre(max(pieces, key=lambda p: float(np.ptp(p, axis=0).min())))
    return centre if np.linalg.norm(centre - middle) < radius else middle


def _rotate_eye(head: Head, own: IntArray, points: FloatArray, pivot: FloatArray) -> FloatArray:
    """Return offsets (52, N, 3): the rotations of the head's own eye, vertices `own`, about `pivot`."""
    ball, offsets = head.vertices[own], np.zeros((len(head.basis), len(points), 3))
    for channel in np.flatnonzero(np.abs(head.basis[:, own]).max((1, 2)) > MIN_LOOK):
        rotation = fit_similarity(ball, ball + head.basis[channel, own]).rotation
        offsets[channel] = (points - pivot) @ rotation.T - (points - pivot)
    return offsets


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
