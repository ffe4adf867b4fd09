"""Labels for the vertices of ICT-FaceKit: region and mouth side on the skin, part inside the mouth."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from ...arkit import CHANNELS, channel_indices
from ...numerics import BoolArray, FloatArray, IntArray
from ..head import HeadPart, HeadRegion
from ..mouth_sides import CLEAR_RATIO, MAX_GEODESIC
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

# Factors for the distances from the tongue's ridge, the lower and the upper gums: the tongue is broad.
SEED_FACTORS = np.array([0.6, 1, 1])
MIN_LID_TRAVEL = 0.0015  # metres with a blink, above which skin is a lid
MIN_JAW_TRAVEL = 0.004  # metres with jawOpen, above which a vertex inside the mouth belongs to the lower jaw
GUM_DISTANCE = 0.002  # metres from the teeth within which a vertex certainly is gum
OUTER_LIP = [*range(48, 60), 48]  # landmarks
# Landmarks along each of head.SEAMS.
BORDERS = {
    "upper_lip": [60, 61, 62, 63, 64],
    "lower_lip": [64, 65, 66, 67, 60],
    "upper_lid_left": [42, 43, 44, 45],
    "lower_lid_left": [45, 46, 47, 42],
    "upper_lid_right": [36, 37, 38, 39],
    "lower_lid_right": [39, 40, 41, 36],
}


@dataclass(frozen=True)
class SkinLabels:
    """Labels of the vertices of the input's skin.

    Attributes:
        region: HeadRegion (V,).
        side: Mouth side (V,), as Head.mouth_side.
        near_mouth: Whether it is near the mouth along the surface (V,).
        lip_outline: Vertices along the outer border of the lips (N,).
        borders: Vertices along each of head.SEAMS.
    """

    region: IntArray
    side: IntArray
    near_mouth: BoolArray
    lip_outline: IntArray
    borders: dict[str, IntArray]


def label_skin(ict: Ict, graph: sparse.csr_matrix) -> SkinLabels:
    """Label the skin by its landmarks and its motion.

    Args:
        ict: The input.
        graph: Edge lengths (V, V), metres.
    """
    count = len(ict.vertices)
    outline = path_along(graph, LANDMARKS[OUTER_LIP])
    borders = {name: path_along(graph, LANDMARKS[points]) for name, points in BORDERS.items()}
    region, side = np.zeros(count, dtype=int), np.zeros(count, dtype=int)

    corners = LANDMARKS[[48, 54, 60, 64]]
    upper = np.union1d(borders["upper_lip"], LANDMARKS[49:54])
    lower = np.union1d(borders["lower_lip"], LANDMARKS[55:60])
    distance = seed_distances(graph, [np.setdiff1d(upper, corners), np.setdiff1d(lower, corners)])
    near = (distance.min(0) < MAX_GEODESIC) & (np.arange(count) < SKIN_END)
    clear = near & (distance.min(0) < CLEAR_RATIO * distance.max(0))
    above = distance[0] < distance[1]
    side[clear] = np.where(above[clear], 1, -1)

    skin = np.arange(count) < HEAD_AND_NECK
    flat = ict.vertices[:, [0, 2]]
    lips = skin & inside_polygon(flat, flat[LANDMARKS[48:60]]) & near
    lips[outline] = True
    region[lips] = np.where(above[lips], HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER)
    region[BAG], region[SOCKETS] = HeadRegion.MOUTH_BAG, HeadRegion.SOCKET
    blink = np.linalg.norm(ict.basis[channel_indices("eyeBlink")], axis=2).sum(0)
    eye_line = ict.vertices[LANDMARKS[36:48], 2].mean()
    lids = skin & (blink > MIN_LID_TRAVEL)
    region[lids] = np.where(ict.vertices[lids, 2] > eye_line, HeadRegion.LID_UPPER, HeadRegion.LID_LOWER)
    region[(np.arange(count) >= HEAD_AND_NECK) & (np.arange(count) < BAG.start)] = HeadRegion.NECK
    return SkinLabels(region, side, near, outline, borders)


def inside_polygon(points: FloatArray, polygon: FloatArray) -> BoolArray:
    """Return which points (N, 2) lie in a polygon (M, 2), by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ay > points[:, 1]) != (by > points[:, 1])
        inside ^= crosses & (points[:, 0] < ax + (points[:, 1] - ay) / (by - ay + 1e-12) * (bx - ax))
    return inside


def label_mouth_parts(ict: Ict, graph: sparse.csr_matrix) -> IntArray:
    """Return the HeadPart of each vertex (V,); everything outside the mouth is skin.

    The seeds of the tongue are its ridge and underside, those of the gums the vertices around the teeth. Each vertex
    takes the label of the nearest seed along the edges.

    Args:
        ict: The input.
        graph: Edge lengths (V, V), metres.
    """
    part = np.full(len(ict.vertices), HeadPart.SKIN)
    part[TEETH.start : LOWER_TEETH], part[LOWER_TEETH : TEETH.stop] = HeadPart.TEETH_UPPER, HeadPart.TEETH_LOWER
    vertices = ict.vertices
    gums = np.arange(GUMS.start, GUMS.stop)
    moves = np.linalg.norm(ict.basis[CHANNELS.index("jawOpen")][gums], axis=1) > MIN_JAW_TRAVEL
    middle = np.abs(vertices[gums, 0]) < 0.0015
    # The middle of the tongue, seen from the side: its upper face, and its underside behind the tip. Metres, read off
    # the input.
    depth, height = -vertices[gums, 1], vertices[gums, 2]
    ridge = middle & moves & (depth < 0.097) & (height > -0.042)
    underside = (
        middle & moves & (depth > 0.064) & (depth < 0.095) & (np.abs(height + 0.0485 - 0.17 * (depth - 0.062)) < 0.0022)
    )
    to_lower_teeth = cKDTree(vertices[LOWER_TEETH : TEETH.stop]).query(vertices[gums])[0]
    to_upper_teeth = cKDTree(vertices[TEETH.start : LOWER_TEETH]).query(vertices[gums])[0]
    seeds = [
        gums[ridge | underside],
        gums[moves & (to_lower_teeth < GUM_DISTANCE)],
        gums[~moves & (to_upper_teeth < GUM_DISTANCE)],
    ]
    label = (seed_distances(graph, seeds) * SEED_FACTORS[:, None])[:, gums].argmin(0)
    label[(label == 0) & ~moves] = 2  # the palate belongs to the upper gums, not to the tongue
    part[gums] = np.array([HeadPart.TONGUE, HeadPart.GUMS_LOWER, HeadPart.GUMS_UPPER])[label]
    return part
