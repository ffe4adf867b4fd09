"""Borders that must meet: lips under jawOpen + mouthClose, lids under eyeBlink, whatever the head's proportions."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..arkit import CHANNELS
from . import head as h
from .geometry import edges_of, smoothstep

UPPER_LID_SHARE = 0.85  # of a blink's missing way that the upper lid goes
MOST_OVERLAP = 0.25  # of the opening of an eye
EDGE_OF_SHAPE = 0.06  # of a shape's greatest travel: vertices that move less do not take part in a correction
SEAM_WIDTH, TOUCHING, FOLLOWING = 0.006, 0.002, 0.012  # metres, see keep_gap


def meet(vertices, triangles, posed, upper, lower, rest_share, upper_share, fixed) -> np.ndarray:
    """(V, 3) correction that brings two borders of `posed` to `rest_share` of their distance in `vertices`.

    upper, lower: vertices along the borders, which run along x; the upper one goes `upper_share` of the way. The
    correction spreads over the mesh as a harmonic function that ends at the `fixed` vertices (V,) bool.
    """
    upper, lower = (s[np.argsort(vertices[s, 0])] for s in (upper, lower))

    def along(points, of, x):
        return np.stack([np.interp(x, vertices[of, 0], points[of, k]) for k in range(3)], axis=1)

    correction = np.zeros_like(vertices)
    for own, other, share in ((upper, lower, upper_share), (lower, upper, 1 - upper_share)):
        x = vertices[own, 0]
        wanted = (vertices[own] - along(vertices, other, x)) * rest_share
        correction[own] = (wanted - (posed[own] - along(posed, other, x))) * share
    fixed = fixed.copy()
    fixed[np.union1d(upper, lower)] = True
    free = ~fixed
    edges = edges_of(triangles)
    weight = 1 / np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), 1e-5)
    graph = sparse.csr_matrix((weight, edges.T), shape=(len(vertices),) * 2)
    graph = graph + graph.T
    laplacian = (sparse.diags(np.asarray(graph.sum(1)).ravel() + 1e-9) - graph).tocsr()
    correction[free] = spsolve(laplacian[free][:, free].tocsc(), -(laplacian[free][:, fixed] @ correction[fixed]))
    return correction


def close_all(vertices, triangles, shapes, seams, bag, overlap: float = 0.0) -> np.ndarray:
    """(52, V, 3) shapes in which lips and lids meet on the head `vertices`.

    seams: border vertices {"upper_lip", "lower_lip", "upper_lid_left", ...}; bag (V,) bool: the inside of the mouth;
    overlap: metres that the upper lids go beyond the lower ones.
    """
    shapes = shapes.copy()
    jaw, close = CHANNELS.index("jawOpen"), CHANNELS.index("mouthClose")
    travel = np.linalg.norm(shapes[close], axis=1)
    still = (travel < EDGE_OF_SHAPE * travel.max()) & ~bag
    posed = vertices + shapes[jaw] + shapes[close]
    shapes[close] += meet(vertices, triangles, posed, seams["upper_lip"], seams["lower_lip"], 1.0, 0.5, still)
    for side in ("left", "right"):
        blink = CHANNELS.index("eyeBlink" + side.title())
        travel = np.linalg.norm(shapes[blink], axis=1)
        still = travel < EDGE_OF_SHAPE * travel.max()
        upper, lower = seams[f"upper_lid_{side}"], seams[f"lower_lid_{side}"]
        opening = np.linalg.norm(vertices[upper].mean(0) - vertices[lower].mean(0))
        beyond = min(overlap / max(opening, 1e-9), MOST_OVERLAP)
        shapes[blink] += meet(
            vertices, triangles, vertices + shapes[blink], upper, lower, -beyond, UPPER_LID_SHARE, still
        )
    return shapes


def head_seams(head: h.Head) -> dict[str, np.ndarray]:
    """The border vertices of the head by name."""
    return {name: np.flatnonzero(head.seam & 1 << bit) for bit, name in enumerate(h.SEAMS)}


def keep_gap(points, side, seam_points, basis):
    """Adjust mouthClose on the mesh itself, so that lips which touch at rest neither gape nor cross with it.

    points (V, 3) and basis (52, V, 3, changed in place) in the head's frame, side (V,) mouth sides, seam_points (N, 3)
    where the fitted lips meet. Where the vertices of one lip lie against the other, each goes half of the way that
    restores their distance at rest; the vertices around follow by their nearness.
    """
    jaw, close = CHANNELS.index("jawOpen"), CHANNELS.index("mouthClose")
    shift = basis[jaw] + basis[close]
    near_seam = cKDTree(seam_points).query(points, distance_upper_bound=SEAM_WIDTH)[0] < SEAM_WIDTH
    lips = {s: np.flatnonzero(near_seam & (side == s)) for s in (1, -1)}
    corrections = {}
    for s, own in lips.items():
        other = lips[-s]
        if not len(own) or not len(other):
            return
        gap, match = cKDTree(points[other]).query(points[own], k=min(3, len(other)))
        gap, match = gap.reshape(len(own), -1), match.reshape(len(own), -1)
        touching = gap[:, 0] < TOUCHING
        weight = 1 / (gap + 1e-4)
        wanted = (shift[other][match] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)
        corrections[s] = own[touching], (wanted - shift[own])[touching] / 2
    for s, (border, correction) in corrections.items():
        if not len(border):
            continue
        tree = cKDTree(points[border])
        around = np.flatnonzero(side == s)
        gap, match = tree.query(points[around], k=min(4, len(border)))
        gap, match = gap.reshape(len(around), -1), match.reshape(len(around), -1)
        weight = 1 / (gap + 1e-4) ** 2
        mean = (correction[match] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)
        basis[close, around] += mean * (1 - smoothstep(gap[:, 0], 0, FOLLOWING))[:, None]
