"""ICT-FaceKit's shapes as artists make them: each where its muscle pulls, and those that it lacks."""

import numpy as np
from scipy.spatial import cKDTree

from ...arkit import CHANNELS
from .. import head as h
from ..geometry import edge_lengths, smoothstep
from .ict import seed_distances

# Shapes that the input shows as whole movements of a person; sums of shapes after STRENGTH, sides alike. Pressing the
# lips together is little more than a raised chin in it: the corners tighten and go out as well. Where the lower lip
# rolls in, the chin goes up with it; where it is shrugged, it goes further than the chin.
BLENDS = {
    "mouthPress": {"mouthPress": 1.25, "mouthSmile": 0.3, "mouthStretch": 0.3},
    "mouthRollLower": {"mouthRollLower": 0.8, "mouthShrugLower": 0.2},
    "mouthShrugLower": {"mouthShrugLower": 0.8, "mouthClose": 0.05, "jawOpen": 0.02},
}
# A captured person moves the whole face with everything; a shape that is to be mixed with others stays where its muscle
# pulls. Skin that goes less than the first share of a shape's greatest way goes less still, down to the second share of
# what the input has; sides alike.
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
ROLLS, ROLL_REACH = ("mouthRollLower", "mouthRollUpper"), 0.01  # metres: lips roll over teeth, what lines them stays
BLINK_INWARD = 0.3  # share of the lids' way towards the nose: they close up and down, squeezing them is eyeSquint
MOLARS_SINK = 0.005, -0.102, -0.078  # metres; from the canines (y, metres) to the molars
TONGUE_SINKS = np.array([0, 0.003, -0.007])  # metres at the tip
TONGUE_FLOOR = -0.050, -0.046  # z in metres: from the floor of the mouth, which stays, to the underside of the tongue
TONGUE_BORDER = 0, 0.004  # metres from the gums along the tongue, where it begins to move on its own and does so freely


def localise(vertices: np.ndarray, basis: np.ndarray, part: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(52, V, 3) with the channels of LOCAL ending sooner on the skin, and those of ROLLS inside the mouth."""
    local = basis.copy()
    for name, (ends, least) in LOCAL.items():
        for k in rows(name):
            share = np.linalg.norm(basis[k], axis=1) / np.linalg.norm(basis[k], axis=1).max()
            local[k] *= np.where(part == h.SKIN, least + (1 - least) * smoothstep(share, 0, ends), 1)[:, None]
    lips = (region == h.LIP_UPPER) | (region == h.LIP_LOWER)
    to_lips = cKDTree(vertices[lips]).query(vertices)[0]
    still = np.where(region == h.MOUTH_BAG, smoothstep(to_lips, 0, ROLL_REACH), 0)
    for k in map(CHANNELS.index, ROLLS):
        local[k] *= 1 - still[:, None]
    local[rows("eyeBlink"), :, 0] *= BLINK_INWARD
    return local


def rows(name: str) -> list[int]:
    """Rows of the basis of a channel, or of its left and right one."""
    return [CHANNELS.index(name + side) for side in ("Left", "Right", "") if name + side in CHANNELS]


def blend(basis: np.ndarray) -> np.ndarray:
    """(52, V, 3) with the channels of BLENDS, on both sides where they have two."""
    mixed = basis.copy()
    for name, recipe in BLENDS.items():
        for side in ("Left", "Right") if name + "Left" in CHANNELS else ("",):
            both = {c + side if c + side in CHANNELS else c: weight for c, weight in recipe.items()}
            mixed[CHANNELS.index(name + side)] = sum(w * basis[CHANNELS.index(c)] for c, w in both.items())
    return mixed


def sink_molars(vertices: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(V, 3) with the lower teeth and gums lower towards the back.

    The input's lower molars stand 4 mm above its incisors' edges and 5 mm above the corners of the mouth, which lie as
    far forward as its canines: in a wide open mouth they would shine in the corners, where a cheek would be.
    """
    depth, canines, molars = MOLARS_SINK
    lower = np.isin(part, (h.TEETH_LOWER, h.GUMS_LOWER))
    return vertices - np.outer(lower * smoothstep(vertices[:, 1], canines, molars), [0, 0, depth])


def tongue_reach(vertices: np.ndarray, triangles: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(V,) 0 at the root of the tongue, at its borders and outside it, 1 at its tip."""
    inside = seed_distances(edge_lengths(vertices, triangles), [np.flatnonzero(part != h.TONGUE)])[0]
    return (
        smoothstep(inside, *TONGUE_BORDER)
        * smoothstep(vertices[:, 2], *TONGUE_FLOOR)
        * smoothstep(-vertices[:, 1], 0.035, 0.098)
    )


def tongue_out(vertices: np.ndarray, part: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(V, 3) offsets of a tongue that slides forward over the lower lip, while its root stays: the input has none."""
    middle = vertices[part == h.TONGUE, 2].mean()
    offset = np.zeros_like(vertices)
    offset[:, 1] = -0.028 * reach
    offset[:, 2] = 0.0125 * reach - 0.35 * (vertices[:, 2] - middle) * reach
    offset[:, 0] = -0.15 * vertices[:, 0] * reach
    return offset
