"""The camera of a picture: how the head's points come to lie in it."""

from dataclasses import dataclass

import numpy as np

from ..numerics import FloatArray


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in front of the head, which looks along +Y.

    A point is turned about the head's origin, then projected: column = x, row = -z, both times `scale` and divided by
    1 + `nearness` · y, where y is its depth behind the origin.

    Attributes:
        rotation: Rotation vector (3,), radians: how the head is turned.
        place: Column and row of the head's origin (2,).
        scale: Pixels in a metre at the origin's depth.
        nearness: 1 / distance of the camera from the origin, 1/m; 0 for a parallel projection.
    """

    rotation: FloatArray
    place: FloatArray
    scale: float
    nearness: float = 0.0

    def turned(self, points: FloatArray) -> FloatArray:
        """Turn points (..., 3)."""
        turned: FloatArray = points @ rotation_matrix(self.rotation).T
        return turned

    def project(self, points: FloatArray) -> FloatArray:
        """Return column and row (..., 2) of points (..., 3) of the head."""
        turned = self.turned(points)
        factor = self.scale / (1 + self.nearness * turned[..., 1:2])
        places: FloatArray = self.place + factor * np.stack([turned[..., 0], -turned[..., 2]], -1)
        return places


def rotation_matrix(vector: FloatArray) -> FloatArray:
    """Return the matrix (3, 3) of a rotation vector (3,), by Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: FloatArray = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return matrix
