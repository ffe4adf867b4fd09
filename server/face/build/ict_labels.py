"""What every vertex of ICT-FaceKit is: region and mouth side on the skin, part inside the mouth."""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ...arkit import CHANNELS
from .. import head as h
from .ict import (
    BAG,
    GUMS,
    HEAD_AND_NECK,
    LANDMARKS,
    LOWER_TEETH,
    SKIN_END,
    SOCKETS,
    TEETH,
    Ict,
    path_along,
    seed_distances,
)
from ..mouth_sides import CLEARLY, REACH

WIDENING = np.array([0.6, 1, 1])  # of the distances from the tongue's ridge, the lower and the upper gums: it is broad
OUTER_LIP = [*range(48, 60), 48]
BORDERS = {
    "upper_lip": [60, 61, 62, 63, 64],
    "lower_lip": [64, 65, 66, 67, 60],
    "upper_lid_left": [42, 43, 44, 45],
    "lower_lid_left": [45, 46, 47, 42],
    "upper_lid_right": [36, 37, 38, 39],
    "lower_lid_right": [39, 40, 41, 36],
}


def skin_regions(ict: Ict, graph: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
    """Region (V,), side of the mouth (V,) 1 above, -1 below, and nearness to it (V,) bool of every vertex; then the
    loops to keep: the outline of the lips (n,), and the borders of the openings by name, (n,) each."""
    count = len(ict.vertices)
    outline = path_along(graph, LANDMARKS[OUTER_LIP])
    borders = {name: path_along(graph, LANDMARKS[points]) for name, points in BORDERS.items()}
    region, side = np.zeros(count, dtype=int), np.zeros(count, dtype=int)

    corners = LANDMARKS[[48, 54, 60, 64]]
    upper = np.union1d(borders["upper_lip"], LANDMARKS[49:54])
    lower = np.union1d(borders["lower_lip"], LANDMARKS[55:60])
    distance = seed_distances(graph, [np.setdiff1d(upper, corners), np.setdiff1d(lower, corners)])
    near = (distance.min(0) < REACH) & (np.arange(count) < SKIN_END)
    clear = near & (distance.min(0) < CLEARLY * distance.max(0))
    above = distance[0] < distance[1]
    side[clear] = np.where(above[clear], 1, -1)

    skin = np.arange(count) < HEAD_AND_NECK
    inside = skin & inside_polygon(ict.vertices[:, [0, 2]], ict.vertices[LANDMARKS[48:60]][:, [0, 2]]) & near
    inside[outline] = True
    region[inside] = np.where(above[inside], h.LIP_UPPER, h.LIP_LOWER)
    region[BAG], region[SOCKETS] = h.MOUTH_BAG, h.SOCKET
    blink = np.linalg.norm(ict.basis[[CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeBlinkRight")]], axis=2).sum(0)
    eye_line = ict.vertices[LANDMARKS[36:48], 2].mean()
    lids = skin & (blink > 0.0015)
    region[lids] = np.where(ict.vertices[lids, 2] > eye_line, h.LID_UPPER, h.LID_LOWER)
    region[(np.arange(count) >= HEAD_AND_NECK) & (np.arange(count) < BAG.start)] = h.NECK
    return region, side, near, outline, borders


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(N,) bool: which of the points (N, 2) lie in the polygon (M, 2), by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ay > points[:, 1]) != (by > points[:, 1])
        inside ^= crosses & (points[:, 0] < ax + (points[:, 1] - ay) / (by - ay + 1e-12) * (bx - ax))
    return inside


def mouth_inside_parts(ict: Ict, graph: sparse.csr_matrix) -> np.ndarray:
    """(V,) part of every vertex; all outside the mouth is skin.

    The tongue grows from its ridge, the gums from around the teeth.
    """
    part = np.full(len(ict.vertices), h.SKIN)
    part[TEETH.start : LOWER_TEETH], part[LOWER_TEETH : TEETH.stop] = h.TEETH_UPPER, h.TEETH_LOWER
    v = ict.vertices
    gums = np.arange(GUMS.start, GUMS.stop)
    moves = np.linalg.norm(ict.basis[CHANNELS.index("jawOpen")][gums], axis=1) > 0.004
    middle = np.abs(v[gums, 0]) < 0.0015
    # The middle of the tongue, seen from the side: its upper face, and its underside behind the tip.
    depth, height = -v[gums, 1], v[gums, 2]
    ridge = middle & moves & (depth < 0.097) & (height > -0.042)
    underside = (
        middle & moves & (depth > 0.064) & (depth < 0.095) & (np.abs(height + 0.0485 - 0.17 * (depth - 0.062)) < 0.0022)
    )
    to_teeth = cKDTree(v[LOWER_TEETH : TEETH.stop]).query(v[gums])[0]
    to_upper = cKDTree(v[TEETH.start : LOWER_TEETH]).query(v[gums])[0]
    seeds = [gums[ridge | underside], gums[moves & (to_teeth < 0.002)], gums[~moves & (to_upper < 0.002)]]
    label = (seed_distances(graph, seeds) * WIDENING[:, None])[:, gums].argmin(0)
    label[(label == 0) & ~moves] = 2  # the palate
    part[gums] = np.array([h.TONGUE, h.GUMS_LOWER, h.GUMS_UPPER])[label]
    return part
