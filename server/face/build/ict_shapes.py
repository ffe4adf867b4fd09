"""Corrections of ICT-FaceKit's shapes: limited to where a muscle pulls, blended, and with the missing ones added."""

import numpy as np
from scipy.spatial import cKDTree

from ...arkit import CHANNELS, channel_indices
from ...numerics import FloatArray, IntArray, smoothstep
from ..geometry import edge_length_matrix
from ..head import HeadPart, HeadRegion
from .ict import seed_distances

# Shapes that are replaced by weighted sums of shapes, after ict.STRENGTH, with the same weights on both sides. In the
# input, mouthPress is little more than a raised chin, but the corners tighten and move out as well. The chin rises with
# a lower lip that rolls in (mouthRollLower). mouthShrugLower moves the lip further than the chin.
BLENDS = {
    "mouthPress": {"mouthPress": 1.25, "mouthSmile": 0.3, "mouthStretch": 0.3},
    "mouthRollLower": {"mouthRollLower": 0.8, "mouthShrugLower": 0.2},
    "mouthShrugLower": {"mouthShrugLower": 0.8, "mouthClose": 0.05, "jawOpen": 0.02},
}
# A captured person moves the whole face with every expression, but a shape that is mixed with others must stay where
# its muscle pulls. Skin that travels less than the first share of a shape's greatest travel is damped. Skin that hardly
# travels keeps the second share of its offset.
LOCAL = {
    "jawOpen": (0.2, 0.75),
    "mouthSmile": (0.4, 0),
    "mouthFunnel": (0.5, 0),
    "mouthPucker": (0.4, 0),
    "mouthLowerDown": (0.5, 0),
    "mouthUpperUp": (0.2, 0),
    "mouthRollLower": (0.6, 0),
    "mouthShrugLower": (0.6, 0),
    "mouthPress": (0.6, 0),
    "cheekSquint": (0.5, 0),
    "browInnerUp": (0.7, 0),
    "browOuterUp": (0.7, 0),
}
ROLLS = ("mouthRollLower", "mouthRollUpper")  # lips roll over the teeth, the lining of the mouth stays
ROLL_REACH = 0.01  # metres from the lips over which the lining's motion ends
BLINK_INWARD = 0.3  # share that is kept of the lids' motion towards the nose, which is squeezing (eyeSquint)
MOLARS_SINK = 0.005  # metres by which the molars are lowered
CANINES_Y, MOLARS_Y = -0.102, -0.078  # metres; the teeth sink from 0 to MOLARS_SINK between them
TONGUE_SINKS = np.array([0, 0.003, -0.007])  # metres at the tip
TONGUE_FLOOR = -0.050, -0.046  # z in metres: the floor of the mouth, which stays, and the underside of the tongue
TONGUE_BORDER = 0, 0.004  # metres along the tongue from the gums: it starts to move on its own, and is free
TONGUE_LENGTH = 0.035, 0.098  # −y in metres of root and tip


def localise(vertices: FloatArray, basis: FloatArray, part: IntArray, region: IntArray) -> FloatArray:
    """Limit the channels of LOCAL on the skin, those of ROLLS inside the mouth, and the direction of blinks.

    Args:
        vertices: Vertices (V, 3), metres.
        basis: Offsets (52, V, 3), metres.
        part: HeadPart of each vertex (V,).
        region: HeadRegion of each vertex (V,).

    Returns:
        Offsets (52, V, 3).
    """
    local = basis.copy()
    for name, (end, least) in LOCAL.items():
        for k in channel_indices(name):
            travel = np.linalg.norm(basis[k], axis=1)
            share = travel / travel.max()
            kept = least + (1 - least) * smoothstep(share, 0, end)
            local[k] *= np.where(part == HeadPart.SKIN, kept, 1)[:, None]
    lips = np.isin(region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    to_lips = np.asarray(cKDTree(vertices[lips]).query(vertices)[0])
    still = np.where(region == HeadRegion.MOUTH_BAG, smoothstep(to_lips, 0, ROLL_REACH), 0)
    for channel in ROLLS:
        local[CHANNELS.index(channel)] *= 1 - still[:, None]
    local[channel_indices("eyeBlink"), :, 0] *= BLINK_INWARD
    return local


def blend(basis: FloatArray) -> FloatArray:
    """Return the offsets (52, V, 3) with the channels of BLENDS mixed, on both sides where they have two."""
    mixed = basis.copy()
    for name, recipe in BLENDS.items():
        for k in channel_indices(name):
            side = CHANNELS[k].removeprefix(name)  # "Left", "Right" or ""
            channels = {c + side if c + side in CHANNELS else c: weight for c, weight in recipe.items()}
            mixed[k] = sum(weight * basis[CHANNELS.index(c)] for c, weight in channels.items())
    return mixed


def sink_molars(vertices: FloatArray, part: IntArray) -> FloatArray:
    """Lower the lower teeth and gums towards the back.

    The input's lower molars stand 4 mm above its incisors' edges and 5 mm above the corners of the mouth, which lie as
    far forward as its canines. In a wide open mouth they would be visible in the corners, where a cheek would be.

    Args:
        vertices: Vertices (V, 3), metres.
        part: HeadPart of each vertex (V,).

    Returns:
        Vertices (V, 3).
    """
    lower = np.isin(part, (HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER))
    return vertices - np.outer(lower * smoothstep(vertices[:, 1], CANINES_Y, MOLARS_Y), [0, 0, MOLARS_SINK])


def tongue_mobility(vertices: FloatArray, triangles: IntArray, part: IntArray) -> FloatArray:
    """Return how freely each vertex of the tongue moves.

    Args:
        vertices: Vertices (V, 3), metres.
        triangles: Triangles (T, 3).
        part: HeadPart of each vertex (V,).

    Returns:
        (V,): 1 at the tip of the tongue, 0 at its root, at its borders and outside it.
    """
    graph = edge_length_matrix(vertices, triangles)
    inside = seed_distances(graph, [np.flatnonzero(part != HeadPart.TONGUE)])[0]
    return (
        smoothstep(inside, *TONGUE_BORDER)
        * smoothstep(vertices[:, 2], *TONGUE_FLOOR)
        * smoothstep(-vertices[:, 1], *TONGUE_LENGTH)
    )


def tongue_out(vertices: FloatArray, part: IntArray, mobility: FloatArray) -> FloatArray:
    """Return the shape tongueOut, which the input lacks: the tongue slides forward over the lower lip, its root stays.

    Args:
        vertices: Vertices (V, 3), metres.
        part: HeadPart of each vertex (V,).
        mobility: How freely each vertex moves (V,), from tongue_mobility.

    Returns:
        Offsets (V, 3), metres.
    """
    middle = vertices[part == HeadPart.TONGUE, 2].mean()
    offset = np.zeros_like(vertices)
    offset[:, 1] = -0.028 * mobility
    offset[:, 2] = 0.0125 * mobility - 0.35 * (vertices[:, 2] - middle) * mobility
    offset[:, 0] = -0.15 * vertices[:, 0] * mobility
    return offset
