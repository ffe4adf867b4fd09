"""FLAME's 300 shape coefficients of a head that was registered to a neutral mesh.

Ridge regression: the coefficients are standard normal over people, and so are, relative to the noise, the distances of
the skin from what they show. A registered vertex lies on the surface of its mesh, but may lie beside its place there:
its noise along the surface is larger. Where the head lies, how it is turned and how large it is are unknown as well.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..face.geometry import vertex_normals
from ..face.head import OUTER_EYE_CORNERS, Head, HeadPart, HeadRegion
from ..face.rig_solver import vertex_weights
from ..numerics import FloatArray, IntArray

if TYPE_CHECKING:  # imports scipy, which would delay a server that only reads a checkpoint
    from .carry import Carrier

NORMAL_NOISE, TANGENT_NOISE = 0.5e-3, 4e-3  # metres: expected distance of a registered vertex from its place
INDEPENDENT = 1000.0  # vertices that count: errors of neighbours are alike
MIN_WEIGHT = (
    0.1  # of a vertex that is looked at, in the measure of face.rig_solver: brows, eyes, nose, mouth and around
)


@dataclass(frozen=True)
class ShapeEstimator:
    """Estimates coefficients from a registered head.

    Attributes:
        vertices: The head's vertices that are looked at (N,).
        mean: Their places on FLAME's mean face (N, 3), in the head's frame.
        matrix: Coefficients of differences from these (300, 3 N).
    """

    vertices: IntArray
    mean: FloatArray
    matrix: FloatArray

    def shape(self, neutral: FloatArray) -> FloatArray:
        """Return the coefficients (300,) of a head with these neutral vertices (H, 3) in the head's frame."""
        coefficients: FloatArray = self.matrix @ (neutral[self.vertices] - self.mean).ravel()
        return coefficients


def face_vertices(head: Head) -> IntArray:
    """Return the vertices of the head that are looked at (N,), ascending."""
    right, left = OUTER_EYE_CORNERS
    eye_distance = np.linalg.norm(head.landmarks68[right] - head.landmarks68[left])
    inside = np.isin(head.region, (HeadRegion.MOUTH_BAG, HeadRegion.SOCKET, HeadRegion.NECK))
    near = vertex_weights(head.vertices, head.landmarks68, eye_distance) > MIN_WEIGHT
    return np.flatnonzero(near & ~inside & (head.part == HeadPart.SKIN))


def shape_estimator(carrier: "Carrier", template: FloatArray, directions: FloatArray, head: Head) -> ShapeEstimator:
    """Prepare the regression.

    Args:
        carrier: FLAME's mean face, carried to the head.
        template: FLAME's vertices at rest (V, 3).
        directions: Offsets of its shapes (300, V, 3).
        head: The canonical head.
    """
    vertices = face_vertices(head)
    whole = carrier.points(carrier.matrix @ template)
    mean, normal = whole[vertices], vertex_normals(whole, head.faces)[vertices]
    centred = mean - mean.mean(0)
    extent = np.sqrt((centred**2).mean())
    placement = [np.tile(axis, (len(mean), 1)) for axis in np.eye(3)]
    placement += [np.cross(axis, centred) / extent for axis in np.eye(3)] + [centred / extent]
    design = np.concatenate([carrier.vectors(directions)[:, vertices], np.stack(placement)])  # (307, N, 3)
    along = (design * normal).sum(-1, keepdims=True) * normal
    precise = (along / NORMAL_NOISE**2 + (design - along) / TANGENT_NOISE**2) * (INDEPENDENT / len(vertices))
    precise = precise.reshape(len(precise), -1)
    system = precise @ design.reshape(len(design), -1).T
    shapes = np.arange(len(directions))
    system[shapes, shapes] += 1
    return ShapeEstimator(vertices, mean, np.linalg.solve(system, precise)[shapes])
