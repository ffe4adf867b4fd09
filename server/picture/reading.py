"""From a picture of a face, and a neutral one of the same person if there is one, to the weights of the channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..errors import LSFError
from ..numerics import FloatArray
from . import faces, fit, landmarks
from .crops import Pyramid

MIN_SIDE, MAX_SIDE = 32, 16384  # pixels
# A face beside the largest one is left out if it is smaller than this share: somebody in the background.
BACKGROUND = 0.5
# How far the face may be turned clockwise, about: upright first, then a camera that was held sideways.
TURNS = (0.0, np.pi / 2, -np.pi / 2)
# Fitted weights below it are 0: they cannot be told from the errors of the landmarks. It lies above the greatest (.194)
# of 120 readings of neutral renders of 30 persons; 99 % of these are below .167 (`build.measure --calibrate`). One
# for all channels: another for each pair of channels made the mean error only .01 smaller where channels move.
NOISE = 0.2
# Factor of the other weights, which are found too weak: the one with the least mean error, by the same 30 persons.
GAIN = 1.6


@dataclass(frozen=True)
class Reading:
    """What was read from a picture.

    Attributes:
        weights: Weights (52,) of the channels, 0 to 1.
        landmarks: Column and row (478, 2) of the landmarks, pixels.
        error: How far the fitted landmarks are from those found, root mean square, millimetres of the average head.
        has_neutral: Whether a neutral picture was used.
    """

    weights: FloatArray
    landmarks: FloatArray
    error: float
    has_neutral: bool

    @property
    def channels(self) -> dict[str, float]:
        """The weights above 0, the largest first."""
        order = np.argsort(-self.weights, kind="stable")
        return {CHANNELS[k]: round(float(self.weights[k]), 4) for k in order if self.weights[k] > 0}


def read(picture: NDArray[np.uint8], neutral: NDArray[np.uint8] | None = None) -> Reading:
    """Read an expression.

    Args:
        picture: RGB (H, W, 3).
        neutral: A picture of the same person with a neutral face, RGB (H, W, 3); None if there is none.

    Raises:
        LSFError: "bad_picture" if a picture cannot be used, "no_face_in_picture" if no face is found in it,
            "several_faces_in_picture" if there is more than one.
    """
    known = None
    if neutral is not None:
        known = fit.fit(find_landmarks(neutral, "the neutral picture"), expression=False)
    points = find_landmarks(picture, "the picture")
    found = fit.fit(points, known)
    return Reading(settled(found.weights), points, found.error, neutral is not None)


def settled(fitted: FloatArray, noise: float = NOISE, gain: float = GAIN) -> FloatArray:
    """Return fitted weights (…, 52) without what is noise, and the others as strong as they are in the mean.

    A weight above the noise is kept whole, not lowered by it: there is one picture, so no step is seen.

    Args:
        fitted: Weights of `fit.fit`.
        noise: Below it a weight is 0.
        gain: Factor of the others.
    """
    kept: FloatArray = np.where(fitted < noise, 0.0, np.minimum(gain * fitted, 1.0))
    return kept


def find_landmarks(picture: NDArray[np.uint8], name: str) -> FloatArray:
    """Return the landmarks (478, 2) of the one face in a picture, in pixels; the name is for sentences."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise LSFError("bad_picture", f"{_capital(name)} must have three values of 8 bits for each pixel.")
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise LSFError(
            "bad_picture", f"{_capital(name)} must have sides of {MIN_SIDE} to {MAX_SIDE} pixels: scale it first."
        )
    pyramid = Pyramid((picture / 255).astype(np.float32))
    found: list[FloatArray] = []
    for turn in TURNS:
        found = _faces(pyramid, width, height, turn)
        if found:
            break
    if not found:
        raise LSFError(
            "no_face_in_picture",
            f"No face was found in {name}: use one that shows a whole face from the front, with some room around it.",
        )
    if len(found) > 1:
        raise LSFError("several_faces_in_picture", f"There are {len(found)} faces in {name}: crop it to one face.")
    return found[0]


def _faces(pyramid: Pyramid, width: int, height: int, turn: float) -> list[FloatArray]:
    """Return the landmarks (478, 2) of each large face of a picture that is turned by about an angle in radians."""
    found: list[FloatArray] = []
    largest = 0.0
    for face in faces.find(pyramid, width, height, turn):
        if face.size < BACKGROUND * largest:
            break
        points, presence = landmarks.find(pyramid, face.square)
        if presence >= landmarks.MIN_PRESENCE:
            found.append(points[:, :2])
            largest = max(largest, face.size)
    return found


def _capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]
