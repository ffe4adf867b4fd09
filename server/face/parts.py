"""Loose pieces of a character: eyeballs turn, lower teeth and tongue follow the jaw, lashes follow the skin."""

import numpy as np
from scipy.spatial import cKDTree

from . import head as h
from .geometry import components, edges_of, similarity

SKIN, FOLLOW, STILL, MOUTH = "skin", "follow the skin", "still", "several mouth parts in one"
EYE_ROUNDNESS = 0.25  # spread of the radius, as a share of it, that still is a ball


def split(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V,) piece of every vertex; vertices at exactly the same place belong together (seams of UVs and normals)."""
    _, first = np.unique(vertices, axis=0, return_inverse=True)
    label = components(edges_of(first.ravel()[triangles]), first.max() + 1)
    return label[first.ravel()]


def main_piece(vertices, triangles, piece, landmarks) -> int:
    """The piece that carries the face: near the most landmarks (brow, nose, mouth)."""
    used = np.unique(triangles)
    gap, _ = cKDTree(vertices[used]).query(landmarks)
    reach = np.linalg.norm(landmarks[36] - landmarks[45]) * 0.12 + gap[17:]
    counts = {}
    for p in np.unique(piece[used]):
        members = used[piece[used] == p]
        near, _ = cKDTree(vertices[members]).query(landmarks[17:])
        counts[p] = (near <= reach).sum() + 1e-6 * len(members)
    return max(counts, key=counts.get)


def classify(registration, head: h.Head, piece: np.ndarray, skin_piece: int) -> dict[int, str]:
    """What each piece of the mesh is: SKIN, FOLLOW, STILL or a name of head.PARTS."""
    points, fitted = registration.target.vertices, registration.fitted
    used = np.unique(registration.target.triangles)
    kinds = {}
    lips = fitted[head.landmark_vertices[48:68]]
    mouth_depth = lips[:, 1].max()
    inside = {p: cKDTree(fitted[head.part == p]) for p in range(h.TEETH_UPPER, h.TONGUE + 1)}
    for p in np.unique(piece[used]):
        members = points[used[piece[used] == p]]
        if p == skin_piece:
            kinds[p] = SKIN
            continue
        centre, extent = (members.max(0) + members.min(0)) / 2, np.ptp(members, axis=0)
        kinds[p] = FOLLOW if extent.max() < 0.25 else STILL
        eye = _eye(head, fitted, members, centre, extent)
        if eye:
            kinds[p] = h.PARTS[eye]
        elif _in_mouth(lips, mouth_depth, members, centre, extent):
            gaps = np.stack([tree.query(members)[0] for tree in inside.values()])
            jaw = np.bincount(gaps.argmin(0), minlength=len(inside)) / len(members)
            upper = jaw[[0, 2]].sum()  # upper teeth and gums
            kinds[p] = h.PARTS[list(inside)[gaps.mean(1).argmin()]] if not 0.25 < upper < 0.75 else MOUTH
    return kinds


def _eye(head, fitted, members, centre, extent):
    for part in (h.EYE_LEFT, h.EYE_RIGHT):
        ball = fitted[head.part == part]
        middle, radius = (ball.max(0) + ball.min(0)) / 2, np.ptp(ball, axis=0).mean() / 2
        off = np.linalg.norm(centre - middle)
        if off < 0.9 * radius and 0.25 * radius < extent.max() / 2 < 2.2 * radius and extent[2] > 0.5 * radius:
            distance = np.linalg.norm(members - sphere_centre(members), axis=1)
            if distance.std() < EYE_ROUNDNESS * distance.mean():
                return part
    return 0


def _in_mouth(lips, depth, members, centre, extent):
    width = np.ptp(lips[:, 0])
    return (abs(centre[0] - lips[:, 0].mean()) < 0.8 * width and extent[0] < 2 * width
            and lips[:, 1].min() < centre[1] < depth + 2 * width
            and abs(centre[2] - lips[:, 2].mean()) < 0.7 * width
            and np.median(members[:, 1]) > lips[:, 1].min() + 0.05 * width)


def sphere_centre(points):
    """Least-squares sphere through the points (algebraic)."""
    a = np.column_stack([2 * points, np.ones(len(points))])
    return np.linalg.lstsq(a, (points**2).sum(1), rcond=None)[0][:3]


def carry_part(registration, head: h.Head, shapes: np.ndarray, name: str, members: np.ndarray) -> np.ndarray:
    """(52, N, 3) offsets of one piece's vertices `members`, as the rule of its kind says, in the head's frame."""
    points = registration.target.vertices[members]
    if name == MOUTH:
        model = np.flatnonzero(head.part >= h.TEETH_UPPER)
    else:
        model = np.flatnonzero(head.part == h.PARTS.index(name))
    moves = np.zeros((len(shapes), len(members), 3))
    moving = np.flatnonzero(np.abs(shapes[:, model]).max((1, 2)) > 1e-6)
    if name.startswith("eye"):
        centre = sphere_centre(points)
        ball = head.vertices[model]
        for c in moving:  # the same turn about the piece's own centre
            _, rotation, _ = similarity(ball, ball + head.basis[c, model])
            moves[c] = (points - centre) @ rotation.T - (points - centre)
    elif name in ("tongue", MOUTH):
        gap, near = cKDTree(registration.fitted[model]).query(points, k=4)
        weight = 1 / (gap + 1e-3)
        weight /= weight.sum(1, keepdims=True)
        for c in moving:
            moves[c] = (shapes[c, model][near] * weight[..., None]).sum(1)
    else:
        for c in moving:  # teeth and gums: the affine motion of the head's own
            source = np.column_stack([registration.fitted[model], np.ones(len(model))])
            affine = np.linalg.lstsq(source, shapes[c, model], rcond=None)[0]
            moves[c] = np.column_stack([points, np.ones(len(points))]) @ affine
    return moves
