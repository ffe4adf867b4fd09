"""Finds weights of the 52 ARKit shapes that show FLAME's motion: bounded least squares, smooth in time.

The face and the lips are to move as far as FLAME's, the lips with more weight, and so is the distance of the lips, the
more the nearer they are to touching. The solver is that of a rig's own keys (face.rig_solver). Many weights show nearly
the same, opposite ones as `jawLeft` and `jawRight` among them. RIDGE and SPARSITY make the solution unique and steady:
of nearly equal ones it is the smallest, and channels that would only undo each other stay at 0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..face.head import OUTER_EYE_CORNERS, SEAMS, Head, HeadPart, HeadRegion
from ..face.rig_solver import LIP_WEIGHT, NEARLY_CLOSED, bounded_least_squares, vertex_weights
from ..numerics import BoolArray, FloatArray, IntArray

LIPS = (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER)
FACE = (HeadRegion.FACE, *LIPS, HeadRegion.LID_UPPER, HeadRegion.LID_LOWER)
LIP_VERTEX_WEIGHT = 4.0  # of a vertex of the lips, where one of the face around has 1
LOOSE_LIP_WEIGHT = 0.1  # of the lips' distance where they are far apart, relative to LIP_WEIGHT
# Weights of the channels' squares and of the channels themselves, in units of the solver: a unit is the square of the
# motion of a few vertices over the eyes' distance. On random motion of the toy FLAME they halve what opposite channels
# have in common, and the lips lose .05 of .83 mm.
RIDGE, SPARSITY = 0.1, 0.01
MAX_ITERATIONS, TOLERANCE = 2000, 3e-6  # of the solver: weights are then within .01 of the solution
# Frames that are solved together, so that they fit into a processor's cache, and frames on both sides that are solved
# with them and thrown away: the solver's smoothness reaches over a few frames.
BLOCK, OVERLAP = 500, 25
STILL = ("eyeLook", "tongueOut")  # beginnings of channels for which FLAME has no motion here
ERROR_STEP, MAX_ERROR = 0.01, 100.0  # millimetres: resolution and end of the histogram of distances


@dataclass(frozen=True)
class FitError:
    """Distances between what is shown and FLAME's motion, millimetres on a head of ordinary size.

    Attributes:
        lips_mean: Mean over frames and vertices of the lips.
        lips_95: 95 % of these are smaller.
        lips_greatest: The greatest.
        face_mean: The same for the face with the lips.
        face_95: As lips_95.
        face_greatest: As lips_greatest.
        frames: Mean over the lips in each frame (F,).
    """

    lips_mean: float
    lips_95: float
    lips_greatest: float
    face_mean: float
    face_95: float
    face_greatest: float
    frames: NDArray[np.float32]

    def figures(self) -> dict[str, float]:
        """Return the figures without those of single frames, rounded to 0.1 µm."""
        return {name: round(float(value), 4) for name, value in vars(self).items() if name != "frames"}


class ErrorMeter:
    """Adds up distances, some frames at a time.

    Attributes:
        on_lips: Which of the vertices that are given belong to the lips (N,).
    """

    def __init__(self, on_lips: BoolArray):
        self.on_lips = on_lips
        self._counts = np.zeros((2, int(MAX_ERROR / ERROR_STEP) + 1), np.int64)
        self._sums, self._greatest = np.zeros(2), np.zeros(2)
        self._frames: list[NDArray[np.float32]] = []

    def add(self, differences: FloatArray) -> None:
        """Add frames: differences (F, N, 3) in metres."""
        distances = 1000 * np.sqrt(np.einsum("fnc,fnc->fn", differences, differences))
        lips = distances[:, self.on_lips]
        for k, values in enumerate((lips, distances)):
            bins = np.minimum(values / ERROR_STEP, self._counts.shape[1] - 1).astype(np.int64)
            self._counts[k] += np.bincount(bins.ravel(), minlength=self._counts.shape[1])
            self._sums[k] += values.sum(dtype=float)
            self._greatest[k] = max(self._greatest[k], float(values.max(initial=0)))
        self._frames.append(lips.mean(1).astype(np.float32))

    def result(self) -> FitError:
        """Return the figures of all frames that were added."""
        total = self._counts.sum(1)
        mean = self._sums / np.maximum(total, 1)
        most = [
            float(np.searchsorted(np.cumsum(counts), 0.95 * n) + 1) * ERROR_STEP if n else 0.0
            for counts, n in zip(self._counts, total, strict=True)
        ]
        frames = np.concatenate([np.zeros(0, np.float32), *self._frames])
        lips, face = (
            (float(mean[k]), min(most[k], float(self._greatest[k])), float(self._greatest[k])) for k in (0, 1)
        )
        return FitError(*lips, *face, frames=frames)


@dataclass(frozen=True)
class NamedShapes:
    """The 52 shapes of the head, prepared for the solver.

    Attributes:
        head: The canonical head.
    """

    head: Head

    @cached_property
    def vertices(self) -> IntArray:
        """The vertices of the face (N,), which are compared."""
        return np.flatnonzero((self.head.part == HeadPart.SKIN) & np.isin(self.head.region, FACE))

    @cached_property
    def on_lips(self) -> BoolArray:
        """Which of these belong to the lips (N,)."""
        on_lips: BoolArray = np.isin(self.head.region[self.vertices], LIPS)
        return on_lips

    @cached_property
    def basis(self) -> NDArray[np.float32]:
        """Offsets of the channels there (52, 3 N), metres."""
        return np.ascontiguousarray(self.head.basis[:, self.vertices].reshape(len(CHANNELS), -1))

    @cached_property
    def eye_distance(self) -> float:
        """Distance of the outer eye corners, metres: the unit of the solver."""
        right, left = OUTER_EYE_CORNERS
        return float(np.linalg.norm(self.head.landmarks68[right] - self.head.landmarks68[left]))

    @cached_property
    def weighted(self) -> NDArray[np.float32]:
        """The basis times the vertices' weights (52, 3 N), in units of the solver per metre."""
        weight = vertex_weights(
            self.head.vertices[self.vertices], self.head.landmarks68, np.float64(self.eye_distance)
        ) * np.where(self.on_lips, LIP_VERTEX_WEIGHT, 1)
        return (self.basis * np.repeat(weight, 3) / self.eye_distance**2).astype(np.float32)

    @cached_property
    def lip_pairs(self) -> tuple[IntArray, IntArray]:
        """Vertices, by their place in `vertices`, on the borders of the upper and the lower lip that lie opposite."""
        place = np.full(len(self.head.vertices), -1)
        place[self.vertices] = np.arange(len(self.vertices))
        borders = []
        for name in ("upper_lip", "lower_lip"):
            border = np.flatnonzero((self.head.seam >> SEAMS.index(name)) & 1)
            borders.append(border[place[border] >= 0])
        upper, lower = borders
        x = self.head.vertices[:, 0]
        opposite = lower[np.abs(x[upper][:, None] - x[lower]).argmin(1)]
        return place[upper], place[opposite]

    def lip_distances(self, offsets: FloatArray) -> FloatArray:
        """Return by how much offsets (F, N, 3) move the lips apart (F, P), upwards, in units of the solver."""
        upper, lower = self.lip_pairs
        distances: FloatArray = (offsets[:, upper, 2] - offsets[:, lower, 2]) / self.eye_distance
        return distances

    def project(self, offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the solver needs of offsets (F, N, 3): products with the shapes (F, 52), lip distances (F, P)."""
        return offsets.reshape(len(offsets), -1) @ self.weighted.T, self.lip_distances(offsets)

    def solve(self, products: FloatArray, lip_distances: FloatArray) -> NDArray[np.float32]:
        """Return weights (F, 52) in [0, 1] for what `project` gave."""
        gram = (self.weighted @ self.basis.T).astype(float)
        size = np.sqrt(np.diag(gram))
        used = np.array([not name.startswith(STILL) for name in CHANNELS]) & (size > 0)
        size = size[used]
        rest = self.head.vertices[None, self.vertices].astype(float)
        lips = self.lip_distances(self.basis.reshape(len(CHANNELS), -1, 3)[used]) / size[:, None]
        gaps = np.maximum(self.lip_distances(rest)[0] + lip_distances, 0).mean(1)
        lip_weight = LOOSE_LIP_WEIGHT + np.exp(-np.square(gaps / NEARLY_CLOSED))
        lip_weight *= LIP_WEIGHT * len(size) / (lips**2).sum()
        gram = gram[np.ix_(used, used)] / np.outer(size, size) + RIDGE * np.diag(1 / size**2)
        targets = (products[:, used] - SPARSITY) / size
        weights = np.zeros((len(products), len(CHANNELS)), np.float32)
        for start in range(0, len(products), BLOCK):
            first = max(start - OVERLAP, 0)
            block = slice(first, start + BLOCK + OVERLAP)
            solved = bounded_least_squares(
                gram,
                targets[block],
                lips.astype(float),
                lip_distances[block].astype(float),
                lip_weight[block].astype(float),
                np.zeros(len(size)),
                size,
                MAX_ITERATIONS,
                TOLERANCE,
            )
            kept = (solved / size).clip(0, 1)[start - first :][:BLOCK]
            weights[start : start + len(kept), used] = kept
        return weights
