"""Where the landmarks lie on the project's head, and how they answer to persons and expressions.

`build.place_landmarks` computes it: what the network finds in pictures of the head whose truth is known.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..numerics import FloatArray
from .landmarks import LEFT_EYE, RIGHT_EYE

ASSET = Path(__file__).parent / "assets" / "places.npz"
# Factor of the noise beside the common errors: in other pictures it is less independent than in those observed. By
# pictures that the places do not come from: the error of all channels is .074 at 1, and .043 at 3.
CAUTION = 3.0


@dataclass(frozen=True)
class Places:
    """The landmarks (478) as points of the head, metres, in the head's frame.

    Attributes:
        points: Of the neutral average head (478, 3).
        basis: Offsets (52, 478, 3) of each channel at value 1.
        identity: Offsets (50, 478, 3) of each identity mode at value 1.
        errors: Directions (2, E, 956) in which the network errs, columns and rows in the level frame, metres: one
            standard deviation each. Of one picture, and of the difference of two pictures of the same person.
        noise: Standard deviation (2, 956) of the error beside these directions, metres.
    """

    points: FloatArray
    basis: FloatArray
    identity: FloatArray
    errors: FloatArray
    noise: FloatArray

    def whitening(self, difference: bool) -> FloatArray:
        """Return the matrix (956, 956) that makes the errors independent with a standard deviation of 1.

        It is the inverse of the Cholesky factor of their covariance.

        Args:
            difference: Whether they are those of the difference of two pictures of the same person.
        """
        errors, noise = self.errors[int(difference)].astype(float), CAUTION * self.noise[int(difference)].astype(float)
        covariance = errors.T @ errors + np.diag(noise**2)
        inverse: FloatArray = np.linalg.inv(np.linalg.cholesky(covariance))
        return inverse


@cache
def load() -> Places:
    """Return the places of the landmarks. They are loaded once and shared."""
    with np.load(ASSET, allow_pickle=False) as stored:
        return Places(**{name: stored[name].astype(np.float32) for name in stored.files})


@dataclass(frozen=True)
class Level:
    """A frame of a picture in which the eyes are level, and lengths about those of the average head.

    Attributes:
        centre: Column and row of its origin (2,).
        angle: How far it is turned clockwise as seen, radians.
        scale: Pixels in its unit.
    """

    centre: FloatArray
    angle: float
    scale: float

    def inside(self, pixels: FloatArray) -> FloatArray:
        """Convert column and row (N, 2) to this frame."""
        return (pixels - self.centre) @ _turn(self.angle) / self.scale


def level(pixels: FloatArray, face_size: float) -> Level:
    """Return the level frame of landmarks.

    Args:
        pixels: Column and row (478, 2).
        face_size: Root mean square distance of the head's landmarks from their mean, seen from the front.
    """
    right, left = (pixels[list(eye)].mean(0) for eye in (RIGHT_EYE, LEFT_EYE))
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    centre = pixels.mean(0)
    size = float(np.sqrt(((pixels - centre) ** 2).sum(1).mean()))
    return Level(centre, angle, size / face_size)


def _turn(angle: float) -> FloatArray:
    """Return the matrix (2, 2) of a rotation; points as rows times it are turned back."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
