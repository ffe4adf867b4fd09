"""FLAME's 300 shape coefficients of a head whose neutral mesh is known on the project's topology.

Ridge regression: the coefficients are standard normal over people, and so is, relative to NOISE, the distance of the
skin from what they show. Where the head lies, how it is turned and how large it is are unknown as well.
"""

from dataclasses import dataclass

import numpy as np

from ..face.head import Head, HeadRegion
from ..numerics import FloatArray, IntArray
from .carry import Carrier

NOISE = 1e-3  # metres: expected distance of a fitted vertex from its place
INDEPENDENT = 300.0  # vertices that count: errors of neighbours are alike


@dataclass(frozen=True)
class ShapeEstimator:
    """Estimates coefficients from a neutral mesh.

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

    def of_modes(self, head: Head) -> tuple[FloatArray, FloatArray]:
        """Return what `shape` gives for the average head (300,), and for each of its identity modes more (300, 50)."""
        modes = head.identity_modes[:, self.vertices].reshape(len(head.identity_modes), -1)
        return self.shape(head.vertices), self.matrix @ modes.T


def shape_estimator(carrier: Carrier, template: FloatArray, directions: FloatArray, head: Head) -> ShapeEstimator:
    """Prepare the regression.

    Args:
        carrier: FLAME's mean face, carried to the head.
        template: FLAME's vertices at rest (V, 3).
        directions: Offsets of its shapes (300, V, 3).
        head: The canonical head.
    """
    seen = np.isin(
        head.region,
        (HeadRegion.FACE, HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER, HeadRegion.LID_UPPER, HeadRegion.LID_LOWER),
    )
    vertices = np.flatnonzero(seen & (head.part == 0))
    mean = carrier.points(carrier.matrix @ template)[vertices]
    modes = carrier.vectors(directions)[:, vertices].reshape(len(directions), -1)
    centred = mean - mean.mean(0)
    extent = np.sqrt((centred**2).mean())
    placement = [np.tile(axis, (len(mean), 1)) for axis in np.eye(3)]
    placement += [np.cross(axis, centred) / extent for axis in np.eye(3)] + [centred / extent]
    design = np.concatenate([modes, np.stack(placement).reshape(7, -1)]).T
    precision = INDEPENDENT / len(vertices) / NOISE**2
    normal = precision * design.T @ design
    normal[np.arange(len(modes)), np.arange(len(modes))] += 1
    matrix = np.linalg.solve(normal, precision * design.T)[: len(modes)]
    return ShapeEstimator(vertices, mean, matrix)
