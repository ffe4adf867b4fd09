"""Rig solver: weights of a rig's own shape keys that approximate a motion, by bounded least squares smooth in time.

The wanted offsets of frame f are Σₖ motion[f, k] · basis[k], those of the rig Σᵣ weights[f, r] · shapes[r]. Their
distance over the vertices, weighted to mouth, lids and brows, needs only the products of shapes with shapes (R, R) and
with the basis (R, K), so the vertices are visited once. The distance of the lips has more weight the nearer they are
to touching: a rig whose shapes match the motion poorly still closes its lips on p, b and m.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..errors import LSFError
from ..numerics import FloatArray
from .head import CHIN, INNER_LANDMARKS, NOSE_BRIDGE, OUTER_EYE_CORNERS

if TYPE_CHECKING:  # imports scipy, which would delay the server's first answer
    from .space import FaceSpace

MAX_SHAPES = 1000  # the products of all pairs of shapes take 8 MB then
MAX_OFFSET = 1e15  # in the mesh's units; sums of squares of much larger ones overflow float32
MAX_WEIGHT = 100.0  # greatest magnitude of a limit: no shape key is meant to go further
RELEVANT_RADIUS = 0.22  # around brows, nose, lids and mouth, as a share of the distance of the outer eye corners
BACKGROUND_WEIGHT = 0.05  # of vertices far from these, where those near have 1
UPPER_LIP, LOWER_LIP = [61, 62, 63], [67, 66, 65]  # landmarks on the inner lips, right to left
NEARLY_CLOSED = 0.03  # lip distance, as a share of that of the eye corners, below which lips are about to touch
LIP_WEIGHT = 3.0  # weight of the distance of closing lips, times that of all shapes together
SMOOTHNESS = 0.005  # weight of changes from frame to frame, relative to one shape's offsets
RIDGE = 1e-4  # weight of the size of the weights, relative to one shape's offsets
MIN_SHAPE_SIZE = 1e-4  # relative to the largest shape: smaller ones do not move the face
KNOWN_CHANNELS = frozenset(CHANNELS)
MAX_ITERATIONS, TOLERANCE = 400, 1e-4  # of the solver, unless told otherwise


@dataclass(frozen=True)
class Rig:
    """A rig's own shape keys.

    Attributes:
        shapes: Offsets of R shape keys at value 1 (R, V, 3), in the mesh's units and vertex order.
        limits: Least and greatest value of each shape key (R, 2).
        without: Channels that something else shows, as other shape keys or bones: these shape keys leave them out.
        like: What each shape key shows, as values of channels, where that is known by its name; empty: of none.

    Raises:
        LSFError: "bad_rig" if the arrays have another shape or values that cannot be used.
    """

    shapes: FloatArray
    limits: FloatArray
    without: tuple[str, ...] = ()
    like: tuple[dict[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.shapes.ndim != 3 or self.shapes.shape[2] != 3 or self.shapes.dtype.kind != "f":
            raise LSFError("bad_rig", f"The rig's shapes must be float (R, V, 3), not {self.shapes.shape}.")
        if (self.like and len(self.like) != len(self.shapes)) or not KNOWN_CHANNELS.issuperset(set().union(*self.like)):
            raise LSFError("bad_rig", "rig_like must have values of channels for each of the rig's shapes.")
        if not 0 < len(self.shapes) <= MAX_SHAPES:
            raise LSFError("bad_rig", f"A rig has 1 to {MAX_SHAPES} shapes, not {len(self.shapes)}.")
        if not (np.abs(self.shapes) <= MAX_OFFSET).all():  # NaN fails, too
            raise LSFError("bad_rig", "The rig has shape keys with coordinates that are not finite: repair them.")
        good = self.limits.shape == (len(self.shapes), 2) and (np.abs(self.limits) <= MAX_WEIGHT).all()
        if not good or (self.limits[:, 0] > self.limits[:, 1]).any():
            raise LSFError(
                "bad_rig",
                f"The rig's limits must be {len(self.shapes)} pairs of numbers, the smaller one "
                f"first, from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}.",
            )


def solve(rig: Rig, vertices: FloatArray, face: "FaceSpace", motion: FloatArray) -> NDArray[np.float32]:
    """Solve for the weights of the rig's shape keys.

    Args:
        rig: Shape keys of the mesh.
        vertices: Neutral vertices of the mesh (V, 3).
        face: The mesh's face space.
        motion: Curves (F, K) of the face's channels.

    Returns:
        Weights (F, R), within the rig's limits.

    Raises:
        LSFError: "bad_rig" if the rig is of another mesh.
    """
    if rig.shapes.shape[1] != len(vertices):
        raise LSFError(
            "bad_rig", f"The rig's shapes have {rig.shapes.shape[1]} vertices, not the mesh's {len(vertices)}."
        )
    right, left = OUTER_EYE_CORNERS
    eye_distance = np.linalg.norm(face.landmarks68[right] - face.landmarks68[left])
    root_weight = np.sqrt(vertex_weights(vertices, face.landmarks68, eye_distance))
    moving = (root_weight > 0) & (np.abs(rig.shapes).max((0, 2)) + np.abs(face.basis).max((0, 2)) > 0)

    def weighted(offsets: FloatArray) -> FloatArray:
        scaled: FloatArray = offsets[:, moving] * root_weight[moving, None] / eye_distance
        return scaled.reshape(len(offsets), -1)

    shapes, basis = weighted(rig.shapes), weighted(face.basis)
    gram, cross = (shapes @ shapes.T).astype(float), (shapes @ basis.T).astype(float)
    size = np.sqrt(np.diag(gram))
    used = size > MIN_SHAPE_SIZE * max(size.max(), 1e-12)
    weights = np.clip(np.zeros((len(motion), len(size))), *rig.limits.T)
    if not used.any():
        return weights.astype(np.float32)
    # The unknowns are weight times size, so that the ridge treats all shapes alike, however far they move.
    gram, size = gram[np.ix_(used, used)] / np.outer(size[used], size[used]), size[used]
    own_motion = motion * ~np.isin(CHANNELS, rig.without)
    target: FloatArray = own_motion @ (cross[used] / size[:, None]).T  # (F, R)
    rest_distance = lip_distances(vertices[None], face, eye_distance)[0]  # (3,)
    lips = lip_distances(rig.shapes[used], face, eye_distance) / size[:, None]  # (R, 3)
    lip_basis = lip_distances(face.basis, face, eye_distance)  # (K, 3)
    lip_weight = np.exp(-np.square(np.maximum(rest_distance + motion @ lip_basis, 0).mean(1) / NEARLY_CLOSED))
    lip_weight *= LIP_WEIGHT * len(size) / max((lips**2).sum(), 1e-12)
    low, high = (rig.limits[used] * size[:, None]).T
    weights[:, used] = bounded_least_squares(gram, target, lips, own_motion @ lip_basis, lip_weight, low, high) / size
    return np.clip(weights, *rig.limits.T).astype(np.float32)


def solve_by_names(rig: Rig, vertices: FloatArray, face: "FaceSpace", motion: FloatArray) -> NDArray[np.float32]:
    """Solve for the weights of the rig's shape keys where the face of their mesh was not found.

    Another head takes the place of the mesh. Its shapes are what the keys' names tell, see `Rig.like`. A key whose name
    tells nothing stays at rest.

    Args:
        rig: Shape keys of any mesh.
        vertices: Neutral vertices of the other head (V, 3).
        face: Its face space.
        motion: Curves (F, K) of the channels.

    Returns:
        Weights (F, R), within the rig's limits.
    """
    looks = np.zeros((len(rig.shapes), len(CHANNELS)), np.float32)
    for look, like in zip(looks, rig.like, strict=False):
        for channel, value in like.items():
            look[CHANNELS.index(channel)] = value
    shapes = np.einsum("rk,kvd->rvd", looks, face.basis)
    return solve(Rig(shapes, rig.limits, rig.without), vertices, face, motion)


def vertex_weights(vertices: FloatArray, landmarks: FloatArray, eye_distance: np.floating) -> FloatArray:
    """Return the weight of the motion of each vertex.

    Args:
        vertices: Vertices (V, 3).
        landmarks: Landmarks (68, 3).
        eye_distance: Distance of the outer eye corners, in the same unit.

    Returns:
        (V,): 1 near mouth, lids and brows, BACKGROUND_WEIGHT far from them.
    """
    from scipy.spatial import cKDTree

    distance = cKDTree(landmarks[INNER_LANDMARKS]).query(vertices)[0]
    falloff: FloatArray = np.exp(-np.square(distance / (RELEVANT_RADIUS * eye_distance)))
    return BACKGROUND_WEIGHT + (1 - BACKGROUND_WEIGHT) * falloff


def lip_distances(offsets: FloatArray, face: "FaceSpace", eye_distance: np.floating) -> FloatArray:
    """Return by how much offsets move the inner lips apart.

    Args:
        offsets: Offsets (N, V, 3), or positions, in mesh units.
        face: The mesh's face space.
        eye_distance: Distance of the outer eye corners, in mesh units.

    Returns:
        Vertical distances at three places of the mouth (N, 3), as shares of `eye_distance`.
    """
    up = face.landmarks68[NOSE_BRIDGE] - face.landmarks68[CHIN]
    up = up / np.linalg.norm(up)
    upper, lower = (offsets[:, face.landmark_vertices[points]] @ up for points in (UPPER_LIP, LOWER_LIP))
    distances: FloatArray = (upper - lower).astype(float) / eye_distance
    return distances


def bounded_least_squares(
    gram: FloatArray,
    target: FloatArray,
    lips: FloatArray,
    lip_target: FloatArray,
    lip_weight: FloatArray,
    low: FloatArray,
    high: FloatArray,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> FloatArray:
    """Minimise a quadratic function of the weights w (F, R) within their limits.

    The function is Σ_f |S w_f − o_f|² + lip_weight_f |lips w_f − lip_target_f|² + SMOOTHNESS |w_f − w_{f−1}|²
    + RIDGE |w_f|², where S are the shapes and o_f the wanted offsets of frame f. Accelerated projected gradient over
    all frames at once (FISTA: Beck and Teboulle 2009), restarted when it overshoots (O'Donoghue and Candès 2015).

    Args:
        gram: SᵀS (R, R).
        target: Sᵀo_f for each frame (F, R).
        lips: Lip distances of each shape (R, 3).
        lip_target: Wanted change of the lip distances in each frame (F, 3).
        lip_weight: Weight of the lip distances in each frame (F,).
        low: Least weights (R,).
        high: Greatest weights (R,).
        max_iterations: Iterations at most.
        tolerance: Largest step relative to the largest weight at which the solution is good enough.

    Returns:
        Weights (F, R).
    """
    gram = gram + RIDGE * np.eye(len(gram))
    target = target + lip_weight[:, None] * (lip_target @ lips.T)
    lipschitz = np.linalg.norm(gram, 2) + lip_weight.max(initial=0) * np.linalg.norm(lips.T @ lips, 2) + 4 * SMOOTHNESS
    weights = extrapolated = np.clip(np.zeros_like(target), low, high)
    momentum = 1.0
    for _ in range(max_iterations):
        gradient = extrapolated @ gram + lip_weight[:, None] * (extrapolated @ lips @ lips.T) - target
        change = SMOOTHNESS * np.diff(extrapolated, axis=0)
        gradient[:-1] -= change
        gradient[1:] += change
        projected = np.clip(extrapolated - gradient / lipschitz, low, high)
        step = projected - weights
        if ((extrapolated - projected) * step).sum() > 0:
            momentum = 1.0
        next_momentum = 0.5 + np.sqrt(0.25 + momentum**2)
        extrapolated = projected + (momentum - 1) / next_momentum * step
        weights, momentum = projected, next_momentum
        if np.abs(step).max(initial=0) < tolerance * np.abs(weights).max(initial=1e-9):
            break
    return weights
