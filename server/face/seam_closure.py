"""Seam closure: lips meet under jawOpen + mouthClose and lids under eyeBlink, whatever the head's proportions."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ..arkit import CHANNELS
from ..numerics import BoolArray, FloatArray, IntArray, smoothstep
from .geometry import adjacency, edge_lengths, nearest_points, unique_edges, within
from .head import SEAMS, Head

UPPER_LID_SHARE = 0.85  # share of the remaining gap under a blink that the upper lid closes
MAX_OVERLAP = 0.25  # of the height of an eye's opening
MIN_TRAVEL = 0.06  # share of a shape's greatest travel: vertices that move less stay fixed in a correction
MIN_EDGE_LENGTH = 1e-5  # metres, against division by 0
SEAM_WIDTH = 0.006  # metres from the fitted lip seam within which vertices may be the border of a lip
CONTACT_DISTANCE = 0.002  # metres: lips that are nearer at rest touch
FALLOFF = 0.012  # metres from a lip's border over which the vertices around follow its correction
DISTANCE_OFFSET = 1e-4  # metres, added to distances before they become inverse-distance weights
JAW_OPEN, MOUTH_CLOSE = CHANNELS.index("jawOpen"), CHANNELS.index("mouthClose")


def close_seam(
    vertices: FloatArray,
    laplacian: sparse.csr_matrix,
    posed: FloatArray,
    upper: IntArray,
    lower: IntArray,
    rest_share: float,
    upper_share: float,
    fixed: BoolArray,
) -> FloatArray:
    """Return a correction that brings the two borders of an opening to a share of their distance at rest.

    The borders run along x. The correction spreads over the mesh as a harmonic function (edges weighted by inverse
    length) that is 0 at the fixed vertices.

    Args:
        vertices: Vertices at rest (V, 3).
        laplacian: The matrix (V, V) from `harmonic_laplacian`.
        posed: Vertices in the pose that is to be corrected (V, 3).
        upper: Vertices along the upper border (N,).
        lower: Vertices along the lower border (M,).
        rest_share: Wanted distance of the borders, as a share of that at rest. Negative values let them overlap.
        upper_share: Part of the correction that the upper border takes, 0 to 1.
        fixed: Vertices that stay where they are in the pose (V,).

    Returns:
        Offsets (V, 3) to add to the pose, in the unit of the vertices.
    """
    upper, lower = (border[np.argsort(vertices[border, 0])] for border in (upper, lower))

    def at_x(points: FloatArray, border: IntArray, x: FloatArray) -> FloatArray:
        """Interpolate the points (V, 3) of a border at x (N,) of the mesh at rest."""
        return np.stack([np.interp(x, vertices[border, 0], points[border, k]) for k in range(3)], axis=1)

    correction = np.zeros_like(vertices)
    for own, other, share in ((upper, lower, upper_share), (lower, upper, 1 - upper_share)):
        x = vertices[own, 0]
        wanted = (vertices[own] - at_x(vertices, other, x)) * rest_share
        correction[own] = (wanted - (posed[own] - at_x(posed, other, x))) * share
    fixed = fixed.copy()
    fixed[np.union1d(upper, lower)] = True
    free = ~fixed
    rows = laplacian[free]
    correction[free] = spsolve(rows[:, free].tocsc(), -(rows[:, fixed] @ correction[fixed]))
    return correction


def harmonic_laplacian(vertices: FloatArray, triangles: IntArray) -> sparse.csr_matrix:
    """Return the Laplacian (V, V) of a mesh with vertices (V, 3), whose edges are weighted by their inverse length."""
    edges = unique_edges(triangles)
    graph = adjacency(edges, len(vertices), 1 / np.maximum(edge_lengths(vertices, edges), MIN_EDGE_LENGTH))
    laplacian: sparse.csr_matrix = (sparse.diags(np.asarray(graph.sum(1)).ravel() + 1e-9) - graph).tocsr()
    return laplacian


def close_all_seams(
    vertices: FloatArray,
    triangles: IntArray,
    shapes: FloatArray,
    seams: Mapping[str, IntArray],
    mouth_bag: BoolArray,
    overlap: float = 0.0,
) -> FloatArray:
    """Correct mouthClose and eyeBlink so that lips and lids meet.

    Args:
        vertices: Neutral head (V, 3), metres.
        triangles: Triangles (T, 3).
        shapes: Offsets of the channels (52, V, 3), metres.
        seams: Vertices along the borders named in head.SEAMS.
        mouth_bag: Vertices of the inside of the mouth (V,).
        overlap: Distance by which the upper lids go beyond the lower ones, metres.

    Returns:
        Corrected offsets (52, V, 3).
    """
    shapes, laplacian = shapes.copy(), harmonic_laplacian(vertices, triangles)
    travel = np.linalg.norm(shapes[MOUTH_CLOSE], axis=1)
    fixed = (travel < MIN_TRAVEL * travel.max()) & ~mouth_bag
    posed = vertices + shapes[JAW_OPEN] + shapes[MOUTH_CLOSE]
    upper, lower = seams["upper_lip"], seams["lower_lip"]
    shapes[MOUTH_CLOSE] += close_seam(vertices, laplacian, posed, upper, lower, 1.0, 0.5, fixed)
    for side in ("left", "right"):
        blink = CHANNELS.index("eyeBlink" + side.title())
        travel = np.linalg.norm(shapes[blink], axis=1)
        fixed = travel < MIN_TRAVEL * travel.max()
        upper, lower = seams[f"upper_lid_{side}"], seams[f"lower_lid_{side}"]
        opening = float(np.linalg.norm(vertices[upper].mean(0) - vertices[lower].mean(0)))
        beyond = min(overlap / max(opening, 1e-9), MAX_OVERLAP)
        posed = vertices + shapes[blink]
        shapes[blink] += close_seam(vertices, laplacian, posed, upper, lower, -beyond, UPPER_LID_SHARE, fixed)
    return shapes


def seam_vertices(head: Head) -> dict[str, IntArray]:
    """Return the vertices of the canonical head along each of head.SEAMS, by name."""
    return {name: np.flatnonzero(head.seam & 1 << bit) for bit, name in enumerate(SEAMS)}


def keep_lip_distance(points: FloatArray, side: IntArray, seam_points: FloatArray, basis: FloatArray) -> None:
    """Adjust mouthClose on the user's mesh, so that lips that touch at rest neither gape nor intersect with it.

    Where the vertices of one lip touch the other lip, each lip takes half of the correction that restores their
    distance at rest under jawOpen + mouthClose. The vertices around follow with inverse-distance weights.

    Args:
        points: Vertices of the mesh (V, 3), metres, in the head's frame.
        side: Mouth side of each vertex (V,), as Head.mouth_side.
        seam_points: Points where the fitted lips meet (N, 3).
        basis: Offsets (52, V, 3). Changed in place.
    """
    shift = basis[JAW_OPEN] + basis[MOUTH_CLOSE]
    near_seam = within(points, seam_points, SEAM_WIDTH)
    lips = {sign: np.flatnonzero(near_seam & (side == sign)) for sign in (1, -1)}
    if not len(lips[1]) or not len(lips[-1]):
        return
    corrections = {}
    for sign, own in lips.items():
        other = lips[-sign]
        distance, match = _neighbours(points[other], points[own], 3)
        touching = distance[:, 0] < CONTACT_DISTANCE
        weight = 1 / (distance + DISTANCE_OFFSET)
        wanted = (shift[other][match] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)
        corrections[sign] = own[touching], (wanted - shift[own])[touching] / 2
    for sign, (border, correction) in corrections.items():
        if not len(border):
            continue
        around = np.flatnonzero(side == sign)
        distance, match = _neighbours(points[border], points[around], 4)
        weight = 1 / (distance + DISTANCE_OFFSET) ** 2
        mean = (correction[match] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)
        basis[MOUTH_CLOSE, around] += mean * (1 - smoothstep(distance[:, 0], 0, FALLOFF))[:, None]


def _neighbours(points: FloatArray, at: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
    """Return distance and index of the up to `count` points (M, 3) nearest to each query `at` (N, 3): (N, K) each."""
    distance, index = nearest_points(points, at, min(count, len(points)))
    return np.reshape(distance, (len(at), -1)), np.reshape(index, (len(at), -1))
