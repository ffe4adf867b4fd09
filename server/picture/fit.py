"""Fits camera, person and expression to the landmarks of a face: bounded least squares.

What is minimised is the negative logarithm of a probability: landmarks err with the covariance that `places` has,
identity coefficients are standard normal, and weights have an exponential prior, so that those without evidence are 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from ..arkit import CHANNELS
from ..numerics import FloatArray
from . import places as head_places
from .camera import Camera, rotation_matrix
from .places import Level, Places, level

WEIGHT_MEAN = 0.1  # of the exponential prior of a weight
WEIGHT_SPREAD = 0.7  # standard deviation of a wide normal prior of the weights beside it
IDENTITIES = 50  # modes that are fitted
IDENTITY_SPREAD = 1.0  # standard deviation of their coefficients
NEARNESS, NEARNESS_SPREAD = 1.0, 0.6  # 1/m: prior of 1 / distance of the camera
TURN = 6  # numbers of the camera beside the nearness: rotation, place, scale
STEPS = 30  # at most
DAMPING = 1e-6  # added to the diagonal of the normal equations, relative
SMALLEST_SHARE = 1 / 64  # of a step, if the whole does not help
TOLERANCE = 1e-5  # relative decrease of the sum of squares that ends the steps


@dataclass(frozen=True)
class Fit:
    """What was found in a picture.

    Attributes:
        weights: Weights (52,) of the channels, 0 to 1.
        identity: Coefficients (50,) of the identity modes.
        camera: The camera, in the level frame, whose unit is about a metre.
        error: Root mean square of the landmarks' distances from the fitted ones, in millimetres of the average head.
        left: What the fit leaves in the picture's plane (478, 3), as points of the head, metres.
    """

    weights: FloatArray
    identity: FloatArray
    camera: Camera
    error: float
    left: FloatArray


def fit(pixels: FloatArray, neutral: Fit | None = None, expression: bool = True, places: Places | None = None) -> Fit:
    """Fit one face.

    Args:
        pixels: Column and row of the landmarks (478, 2).
        neutral: The fit of a neutral picture of the same person: identity, and what its fit has left, are used.
        expression: Whether to fit the weights; without, they are 0.
        places: Where the landmarks lie on the head; None for the project's.
    """
    places = places or head_places.load()
    problem = _Problem(pixels, places, neutral, expression)
    return problem.result(_solve(problem))


def _solve(problem: "_Problem") -> FloatArray:
    """Gauss-Newton: in each step, the linear problem with bounds is solved exactly. Weights of 0 stay 0 this way."""
    values = problem.start
    residuals = problem.residuals(values)
    for _ in range(STEPS):
        slope = problem.jacobian(values)
        normal = slope.T @ slope
        normal[np.diag_indices_from(normal)] *= 1 + DAMPING
        root = np.linalg.cholesky(normal)
        target = np.linalg.solve(root, normal @ values - slope.T @ residuals)
        step = lsq_linear(root.T, target, problem.bounds, method="bvls").x - values
        cost, share = residuals @ residuals, 1.0
        while share > SMALLEST_SHARE:
            trial = problem.residuals(values + share * step)
            if trial @ trial < cost:
                break
            share /= 2
        else:
            break
        values, residuals = values + share * step, trial
        if cost - trial @ trial < TOLERANCE * cost:
            break
    return values


class _Problem:
    """Residuals and their derivatives. Unknown: camera (7,), weights (52,) if wanted, identity (50,) if not known."""

    def __init__(self, pixels: FloatArray, places: Places, neutral: Fit | None, expression: bool) -> None:
        points = places.points.astype(float)
        self.frame: Level = level(pixels, _size(points))
        self._seen = self.frame.inside(pixels)
        self._whitening = places.whitening(neutral is not None)
        self._points = points
        self._known = neutral
        if neutral is not None:
            identity = places.identity[: len(neutral.identity)].astype(float)
            self._points = points + np.tensordot(neutral.identity, identity, 1) + neutral.left
        self._basis = places.basis.astype(float) if expression else np.zeros((0, *points.shape))
        modes = 0 if neutral is not None else IDENTITIES
        self._identity = places.identity[:modes].astype(float)
        self._answers = np.concatenate([self._basis, self._identity])  # (K, 478, 3)
        camera = neutral.camera if neutral is not None else Camera(np.zeros(3), np.zeros(2), 1.0, NEARNESS)
        first = np.array([*camera.rotation, 0.0, 0.0, 1.0, camera.nearness])
        middle = Camera(first[:3], first[3:5], first[5], first[6]).project(self._points).mean(0)
        first[3:5] = self._seen.mean(0) - middle
        count = len(self._answers)
        self.start = np.concatenate([first, np.full(len(self._basis), 0.05), np.zeros(modes)])
        low, high = np.full(7 + count, -np.inf), np.full(7 + count, np.inf)
        low[5:7], high[5:7] = (0.2, 0.0), (5.0, 4.0)
        low[7 : 7 + len(self._basis)], high[7 : 7 + len(self._basis)] = 0.0, 1.0
        low[7 + len(self._basis) :], high[7 + len(self._basis) :] = -3.0, 3.0
        self.bounds = (low, high)
        # ½ (w / s + s / m)² = ½ w² / s² + w / m + constant: a wide normal prior and an exponential one.
        self._prior = np.concatenate(
            [[1 / NEARNESS_SPREAD], np.full(len(self._basis), 1 / WEIGHT_SPREAD), np.full(modes, 1 / IDENTITY_SPREAD)]
        )
        self._offset = np.concatenate(
            [[-NEARNESS / NEARNESS_SPREAD], np.full(len(self._basis), WEIGHT_SPREAD / WEIGHT_MEAN), np.zeros(modes)]
        )

    def _posed(self, values: FloatArray) -> FloatArray:
        """The points (478, 3) of the head."""
        posed: FloatArray = self._points + np.tensordot(values[7:], self._answers, 1)
        return posed

    def residuals(self, values: FloatArray) -> FloatArray:
        """Whitened errors of the landmarks, then the priors."""
        camera = _camera(values)
        missing = (camera.project(self._posed(values)) - self._seen).ravel()
        return np.concatenate([self._whitening @ missing, self._prior * values[6:] + self._offset])

    def jacobian(self, values: FloatArray) -> FloatArray:
        """Derivatives of the residuals."""
        camera = _camera(values)
        matrix = rotation_matrix(camera.rotation)
        posed = self._posed(values)
        turned = posed @ matrix.T
        plane = np.stack([turned[:, 0], -turned[:, 2]], -1)
        depth = 1 + camera.nearness * turned[:, 1:2]

        def moved(offsets: FloatArray) -> FloatArray:
            """How places (…, 478, 2) change with turned points (…, 478, 3)."""
            flat = np.stack([offsets[..., 0], -offsets[..., 2]], -1)
            return camera.scale * (flat / depth - plane * camera.nearness * offsets[..., 1:2] / depth**2)

        columns = [moved(posed @ _rotation_slope(camera.rotation, axis).T) for axis in range(3)]
        columns += [np.tile([1.0, 0.0], (len(posed), 1)), np.tile([0.0, 1.0], (len(posed), 1))]
        columns += [plane / depth, -camera.scale * plane * turned[:, 1:2] / depth**2]
        answers = moved(self._answers @ matrix.T)
        everything = np.concatenate([np.stack(columns), answers]).reshape(7 + len(self._answers), -1)
        prior = np.zeros((len(self._prior), len(values)))
        prior[:, 6:] = np.diag(self._prior)
        return np.concatenate([self._whitening @ everything.T, prior])

    def result(self, values: FloatArray) -> Fit:
        """What the values say."""
        camera = _camera(values)
        posed = self._posed(values)
        missing = self._seen - camera.project(posed)
        turned = camera.turned(posed)
        # Back from the picture's plane into the head, without a change of depth.
        flat = missing * (1 + camera.nearness * turned[:, 1:2]) / camera.scale
        left = np.column_stack([flat[:, 0], np.zeros(len(flat)), -flat[:, 1]]) @ rotation_matrix(camera.rotation)
        weights = np.zeros(len(CHANNELS))
        weights[: len(self._basis)] = values[7 : 7 + len(self._basis)]
        identity = values[7 + len(self._basis) :] if self._known is None else self._known.identity
        return Fit(weights, identity, camera, 1e3 * float(np.sqrt((flat**2).sum(1).mean())), left)


def _camera(values: FloatArray) -> Camera:
    """The camera of the unknowns."""
    return Camera(values[:3], values[3:5], float(values[5]), float(values[6]))


def _size(points: FloatArray) -> float:
    """Root mean square distance of points (478, 3) from their mean, from the front."""
    return float(np.sqrt(((points - points.mean(0))[:, [0, 2]] ** 2).sum(1).mean()))


def _rotation_slope(vector: FloatArray, axis: int, step: float = 1e-5) -> FloatArray:
    """Return the derivative (3, 3) of the rotation matrix with one number of the rotation vector."""
    shift = np.zeros(3)
    shift[axis] = step
    slope: FloatArray = (rotation_matrix(vector + shift) - rotation_matrix(vector - shift)) / (2 * step)
    return slope
