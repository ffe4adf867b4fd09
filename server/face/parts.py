"""Loose pieces of a character: eyeballs turn, lower teeth and tongue follow the jaw, lashes follow the skin."""

import numpy as np
from scipy.spatial import cKDTree

from ..errors import LSFError
from . import head as h
from .geometry import adjacency, components, edges_of, same_places, similarity
from .raster import vertex_normals

# What a vertex may be; these numbers travel in messages (docs/protocol.md).
AUTOMATIC, SKIN, UPPER_TEETH, LOWER_TEETH, TONGUE, LEFT_EYE, RIGHT_EYE, FOLLOWING, STILL = range(-1, 8)
MODEL = {
    UPPER_TEETH: (h.TEETH_UPPER, h.GUMS_UPPER),
    LOWER_TEETH: (h.TEETH_LOWER, h.GUMS_LOWER),
    TONGUE: (h.TONGUE,),
    LEFT_EYE: (h.EYE_LEFT,),
    RIGHT_EYE: (h.EYE_RIGHT,),
}  # the head's own counterparts
EYES, MOUTH = (LEFT_EYE, RIGHT_EYE), (UPPER_TEETH, LOWER_TEETH, TONGUE)
EYE_ROUNDNESS = 0.25  # spread of the radius, as a share of it, that still is a ball
FOLLOWING_SIZE = 0.25  # metres: larger pieces are clothes and bodies, not lashes
NORMAL_PENALTY = 0.012  # metres that opposite normals count
JOINED = 0.25  # a piece of which the upper and the lower jaw both hold at least this share joins them


def split(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V,) piece of every vertex; vertices at exactly the same place belong together (seams of UVs and normals)."""
    place = same_places(vertices)
    return components(edges_of(place[triangles]), place.max() + 1)[place]


def check(given, count: int) -> np.ndarray:
    """(count,) int: what an artist said of the vertices, AUTOMATIC where nothing. Raises LSFError."""
    if given is None:
        return np.full(count, AUTOMATIC)
    given = np.asarray(given)
    if given.shape != (count,) or given.dtype.kind not in "iu" or not ((given >= AUTOMATIC) & (given <= STILL)).all():
        raise LSFError("bad_parts", f"The parts must be a whole number from {AUTOMATIC} to {STILL} for each vertex.")
    return given.astype(int)


def of_head(head: h.Head) -> np.ndarray:
    """(Vh,) int32: the parts of the project's own head."""
    kinds = np.full(len(head.part), SKIN, np.int32)
    for kind, model in MODEL.items():
        kinds[np.isin(head.part, model)] = kind
    return kinds


def groups(piece, rows) -> list[np.ndarray]:
    """The vertices `rows`, one array for each piece of them."""
    rows = rows[np.argsort(piece[rows], kind="stable")]
    return np.split(rows, np.flatnonzero(np.diff(piece[rows])) + 1) if len(rows) else []


def main_piece(vertices, triangles, piece, landmarks) -> int:
    """The piece that carries the face: near the most landmarks (brow, nose, mouth), the larger one of equals."""
    used = np.unique(triangles)
    tree = cKDTree(vertices[used])
    reach = np.linalg.norm(landmarks[36] - landmarks[45]) * 0.12 + tree.query(landmarks[17:])[0]
    score = 1e-6 * np.bincount(piece[used])
    for near in tree.query_ball_point(landmarks[17:], reach):
        score[np.unique(piece[used[near]])] += 1
    return int(score.argmax())


def skin_triangles(vertices, triangles, piece, given, landmarks) -> np.ndarray:
    """(T,) bool: triangles of the face's skin, as far as the artist did not say otherwise."""
    kind = given[triangles].max(1)
    unknown = kind == AUTOMATIC
    skin = kind == SKIN
    if unknown.any():
        candidates = triangles[unknown | skin]
        skin |= unknown & (piece[triangles[:, 0]] == main_piece(vertices, candidates, piece, landmarks))
    return skin


def classify(registration, head: h.Head, piece: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(V,) SKIN, UPPER_TEETH, ... of every vertex: `given` (V,) where it is not AUTOMATIC."""
    target = registration.target
    points, fitted = target.vertices, registration.fitted
    kinds = given.copy()
    skin = np.unique(target.triangles[target.skin])
    kinds[skin[given[skin] == AUTOMATIC]] = SKIN
    unknown = np.zeros(len(points), dtype=bool)
    unknown[np.unique(target.triangles)] = True
    unknown &= kinds == AUTOMATIC
    lips = fitted[head.landmark_vertices[48:68]]
    mouth_depth = lips[:, 1].max()
    nearest = _nearest_kinds(head, fitted, target)
    for rows in groups(piece, np.flatnonzero(unknown)):
        members = points[rows]
        centre, extent = (members.max(0) + members.min(0)) / 2, np.ptp(members, axis=0)
        kinds[rows] = FOLLOWING if extent.max() < FOLLOWING_SIZE else STILL
        eye = _eye(head, fitted, members, centre, extent)
        if eye is not None:
            kinds[rows] = eye
        elif _in_mouth(lips, mouth_depth, members, centre, extent):
            own = nearest(rows)
            upper = (own == UPPER_TEETH).mean()
            joined = JOINED < upper < 1 - JOINED
            kinds[rows] = own if joined else np.bincount(own).argmax()
    kinds[kinds == AUTOMATIC] = STILL  # vertices that no triangle uses
    return kinds


def _nearest_kinds(head, fitted, target):
    """A function that tells for vertices of the target which kind of MOUTH is nearest, and faces the same way: the
    tongue lies against the palate.
    """
    model = np.flatnonzero(head.part >= h.TEETH_UPPER)
    tree, normals = cKDTree(fitted[model]), vertex_normals(fitted, head.faces)[model]
    kinds = of_head(head)[model]

    def nearest(rows):
        gap, index = tree.query(target.vertices[rows], k=12)
        cosine = (normals[index] * target.normals[rows, None]).sum(-1)
        best = (gap + NORMAL_PENALTY * (1 - cosine) / 2).argmin(1)
        return kinds[index[np.arange(len(rows)), best]]

    return nearest


def _eye(head, fitted, members, centre, extent):
    for kind in EYES:
        middle, radius = eyeball(head, fitted, kind)
        off = np.linalg.norm(centre - middle)
        if off < 0.9 * radius and 0.25 * radius < extent.max() / 2 < 2.2 * radius and extent[2] > 0.5 * radius:
            distance = np.linalg.norm(members - sphere_centre(members), axis=1)
            if distance.std() < EYE_ROUNDNESS * distance.mean():
                return kind
    return None


def eyeball(head, fitted, kind):
    """Centre and radius of the fitted head's own eyeball."""
    ball = fitted[np.isin(head.part, MODEL[kind])]
    return (ball.max(0) + ball.min(0)) / 2, np.ptp(ball, axis=0).mean() / 2


def _in_mouth(lips, depth, members, centre, extent):
    width = np.ptp(lips[:, 0])
    return (
        abs(centre[0] - lips[:, 0].mean()) < 0.8 * width
        and extent[0] < 2 * width
        and lips[:, 1].min() < centre[1] < depth + 2 * width
        and abs(centre[2] - lips[:, 2].mean()) < 0.7 * width
        and np.median(members[:, 1]) > lips[:, 1].min() + 0.05 * width
    )


def sphere_centre(points):
    """Least-squares sphere through the points (algebraic)."""
    a = np.column_stack([2 * points, np.ones(len(points))])
    return np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0][:3]


def carry_parts(registration, head: h.Head, shapes: np.ndarray, piece, kinds, basis) -> None:
    """Write the offsets of eyes, teeth and tongue into basis (52, V, 3), in the head's frame."""
    points, fitted = registration.target.vertices, registration.fitted
    for kind in (*EYES, *MOUTH):
        members = np.flatnonzero(kinds == kind)
        if not len(members):
            continue
        model = np.flatnonzero(np.isin(head.part, MODEL[kind]))
        if kind in EYES:
            basis[:, members] = _turn(head, model, points[members], _pivot(head, fitted, kind, points, piece, members))
        else:
            carry = _follow_nearest if kind == TONGUE else _follow_rigidly
            basis[:, members] = carry(fitted[model], shapes[:, model], points[members])
    _soften_borders(registration.target.triangles, kinds, basis)


def _soften_borders(triangles, kinds, basis, rings=2, rounds=8):
    """Where one piece holds both jaws, its motion changes smoothly from the upper one to the lower one."""
    edges = edges_of(triangles[np.isin(kinds[triangles], MOUTH).all(1)])
    graph = adjacency(edges, len(kinds))
    upper = kinds == UPPER_TEETH
    border = np.zeros(len(kinds), dtype=bool)
    border[edges[upper[edges[:, 0]] != upper[edges[:, 1]]]] = True
    for _ in range(rings - 1):
        border |= graph @ border > 0
    rows = np.flatnonzero(border)
    share = graph[rows].multiply(1 / np.maximum(graph[rows].sum(1), 1)).tocsr()
    for _ in range(rounds if len(rows) else 0):
        flat = basis.transpose(1, 0, 2).reshape(len(kinds), -1)
        basis[:, rows] = (share @ flat).reshape(len(rows), len(basis), 3).transpose(1, 0, 2)


def _pivot(head, fitted, kind, points, piece, members):
    """What all pieces of one eye (ball, iris, cornea) turn about: the centre of the ball, if one of them is a ball."""
    middle, radius = eyeball(head, fitted, kind)
    own = sphere_centre(max((points[rows] for rows in groups(piece, members)), key=lambda p: np.ptp(p, axis=0).min()))
    return own if np.linalg.norm(own - middle) < radius else middle


def _turn(head, model, points, pivot):
    """(52, N, 3): the look channels of the head's own eye, vertices `model`, as turns about `pivot`."""
    ball, moves = head.vertices[model], np.zeros((len(head.basis), len(points), 3))
    for c in np.flatnonzero(np.abs(head.basis[:, model]).max((1, 2)) > 1e-6):
        _, rotation, _ = similarity(ball, ball + head.basis[c, model])
        moves[c] = (points - pivot) @ rotation.T - (points - pivot)
    return moves


def _follow_nearest(model, shapes, points):
    gap, near = cKDTree(model).query(points, k=4)
    weight = 1 / (gap + 1e-3)
    weight /= weight.sum(1, keepdims=True)
    return (shapes[:, near] * weight[..., None]).sum(2)


def _follow_rigidly(model, shapes, points):
    """The affine motion of the head's own teeth or gums."""
    source = np.column_stack([model, np.ones(len(model))])
    affine = np.linalg.lstsq(source, shapes.transpose(1, 0, 2).reshape(len(model), -1), rcond=None)[0]
    moved = np.column_stack([points, np.ones(len(points))]) @ affine
    return moved.reshape(len(points), -1, 3).transpose(1, 0, 2)
