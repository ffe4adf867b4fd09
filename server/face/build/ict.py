"""ICT-FaceKit Light, the input of the canonical head, in this project's conventions and channel order.

The file holds `neutral` (V, 3) in centimetres with Y up, `faces` as quads padded with -1, `exp_names` and `exp`
offsets, and `identity` modes of unit weight.
"""

import os
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ...arkit import CHANNELS
from ...numerics import FloatArray, IntArray

# Vertex ranges and landmarks of the ICT-FaceKit topology.
SKIN_END, BAG, SOCKETS = 14062, slice(11248, 13294), slice(13294, 14062)
GUMS, TEETH, EYE_LEFT, EYE_RIGHT = slice(14062, 17039), slice(17039, 21451), slice(21451, 22221), slice(23021, 23791)
LOWER_TEETH = 19247  # first vertex of the teeth in the lower jaw
HEAD_AND_NECK = 9409  # first vertex of the skin outside the face
LANDMARKS = np.array(
    """
    1225 1888 1052 367 1719 1722 2199 1447 966 3661 4390 3927 3924 2608 3272 4088 3443 268 493 1914 2044 1401
    3615 4240 4114 2734 2509 978 4527 4942 4857 1140 2075 1147 4269 3360 1507 1542 1537 1528 1518 1511 3742 3751
    3756 3721 3725 3732 5708 5695 2081 0 4275 6200 6213 6346 6461 5518 5957 5841 5702 5711 5533 6216 6207 6470
    5517 5966""".split(),
    dtype=int,
)

# Factors for shapes that are stronger in the input than in shapes made by artists.
STRENGTH = {
    "mouthRollLower": 0.55,
    "mouthShrugLower": 0.5,
    "noseSneerLeft": 0.6,
    "noseSneerRight": 0.6,
    "cheekPuff": 0.85,
    "mouthUpperUpLeft": 0.85,
    "mouthUpperUpRight": 0.85,
}
TO_METRES_Z_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) / 100  # x, y, z in centimetres -> x, -z, y in metres


class Ict:
    """The input in metres, Z up, facing −Y.

    Args:
        path: ict_facekit.npz.

    Attributes:
        vertices: Neutral vertices (V, 3).
        triangles: Triangles (T, 3).
        basis: Offsets (52, V, 3) of each channel at value 1.
        identity: Identity modes (N, V, 3) of unit weight.
    """

    def __init__(self, path: str | os.PathLike[str]):
        with np.load(path, allow_pickle=False) as file:
            self.vertices: FloatArray = file["neutral"].astype(float) @ TO_METRES_Z_UP
            names = [str(name) for name in file["exp_names"]]
            offsets: FloatArray = file["exp"].astype(float) @ TO_METRES_Z_UP
            self.identity: FloatArray = file["identity"].astype(float) @ TO_METRES_Z_UP
            quads: IntArray = file["faces"]
        self.triangles = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
        named = dict(zip(names, offsets, strict=True))
        self.basis = np.zeros((len(CHANNELS), *self.vertices.shape))
        for k, channel in enumerate(CHANNELS):
            # browInnerUp and cheekPuff have two halves in the input.
            sides = {channel, channel.replace("Left", "_L").replace("Right", "_R"), channel + "_L", channel + "_R"}
            self.basis[k] = sum(named[name] for name in sides if name in named) * STRENGTH.get(channel, 1.0)

    def triangles_within(self, vertices: slice) -> IntArray:
        """Return the triangles (T, 3) inside a range of vertices, numbered from its start."""
        inside = ((self.triangles >= vertices.start) & (self.triangles < vertices.stop)).all(1)
        triangles: IntArray = self.triangles[inside] - vertices.start
        return triangles


def path_along(graph: sparse.csr_matrix, points: Sequence[int] | IntArray) -> IntArray:
    """Find the shortest edge paths through a sequence of vertices.

    Args:
        graph: Edge lengths (V, V).
        points: Vertices to pass, in order.

    Returns:
        All vertices on the paths (N,), in ascending order.
    """
    found = []
    for start, end in pairwise(int(point) for point in points):
        _, predecessor = dijkstra(graph, directed=False, indices=[start], return_predecessors=True)
        while end != start:
            found.append(end)
            end = int(predecessor[0, end])
        found.append(start)
    return np.unique(found)


def seed_distances(graph: sparse.csr_matrix, seeds: Sequence[IntArray]) -> FloatArray:
    """Return the distances of all vertices from several sets of vertices, along the edges.

    Args:
        graph: Edge lengths (V, V), metres.
        seeds: S sets of vertices.

    Returns:
        Metres (S, V).
    """
    return np.stack([dijkstra(graph, directed=False, indices=s, min_only=True) for s in seeds])
