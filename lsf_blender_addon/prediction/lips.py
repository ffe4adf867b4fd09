"""How far each channel moves the lips, in millimetres of a human face, whatever the head's own units. No bpy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Millimetres between the inner lips, measured in the middle: below it the lips meet. The server closes smaller gaps
# with the same threshold (CONTACT_APERTURE in metres, server/performance/lip_contact.py), so what it leaves below is
# meant as a closure. The add-on's only threshold of lip contact.
CONTACT_APERTURE = 0.7
EYE_DISTANCE = 89.2  # millimetres between the outer corners of the eyes, on the project's own head

# iBUG-68 landmarks
RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8  # outer corners of the eyes
OUTER_AND_INNER_LIPS = slice(48, 68)
UPPER, LOWER = 62 - 48, 66 - 48  # points of `measure` in the middle of the inner lips


def measure(
    basis: NDArray[np.floating], landmarks68: NDArray[np.floating], landmark_vertices: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Measure how far each channel at 1 moves the lips.

    All arguments are in the same axes and units.

    Args:
        basis: Offsets (K, V, 3) of the vertices for each channel at 1.
        landmarks68: Positions (68, 3) of the landmarks.
        landmark_vertices: The vertices (68,) nearest to them.

    Returns:
        Offsets (K, 20, 3) of the landmarks 48 to 67 in millimetres; axes of the head: to its left, to the back, up.
    """
    across = landmarks68[LEFT_EYE] - landmarks68[RIGHT_EYE]
    down = landmarks68[CHIN] - (landmarks68[LEFT_EYE] + landmarks68[RIGHT_EYE]) / 2
    size = np.linalg.norm(across)
    left = across / size
    up = (down @ left) * left - down
    up /= np.linalg.norm(up)
    axes = np.stack([left, np.cross(up, left), up])
    offsets = basis[:, np.asarray(landmark_vertices)[OUTER_AND_INNER_LIPS]]
    result: NDArray[np.float32] = (offsets @ axes.T * (EYE_DISTANCE / size)).astype(np.float32)
    return result


def opening(lips: NDArray[Any]) -> NDArray[Any]:
    """Return by how many millimetres each channel at 1 parts the lips.

    Args:
        lips: Offsets (K, 20, 3) in millimetres, see `measure`; (K, 0, 3) if the lips are not known.

    Returns:
        Millimetres (K,), negative for channels that close the lips; zeros if the lips are not known.
    """
    return lips[:, UPPER, 2] - lips[:, LOWER, 2] if lips.shape[1] else np.zeros(len(lips), np.float32)
