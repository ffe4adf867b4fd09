"""Measures how far each channel moves the lips, in millimetres of a human face, whatever units the head has. No bpy."""

import numpy as np
from numpy.typing import NDArray

# Millimetres between the middles of the inner lips, below which the lips are in contact. The same as CONTACT_APERTURE
# (in metres) of server/performance/lip_contact.py, where the server closes smaller gaps.
CONTACT_APERTURE = 0.7
EYE_DISTANCE = 89.2  # millimetres between the outer corners of the eyes, on the project's own head

# iBUG-68 landmarks
RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8  # outer corners of the eyes
OUTER_AND_INNER_LIPS = slice(48, 68)
UPPER, LOWER = 62 - 48, 66 - 48  # middles of the inner lips, as indices of the 20 points of `measure`
UPPER_LIP, LOWER_LIP = (61 - 48, UPPER, 63 - 48), (67 - 48, LOWER, 65 - 48)  # of the inner lips, from right to left


def measure(
    basis: NDArray[np.floating], landmarks68: NDArray[np.floating], landmark_vertices: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Measure how far each channel at value 1 moves the lips.

    The distance between the eyes gives the scale. All arguments have the same axes and units.

    Args:
        basis: Offsets (K, V, 3) of the vertices for each channel at value 1.
        landmarks68: Positions (68, 3) of the iBUG-68 landmarks.
        landmark_vertices: Indices (68,) of the vertices nearest to the landmarks.

    Returns:
        Offsets (K, 20, 3) of landmarks 48 to 67, in millimetres along the axes of the head: to its left, back, up.
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


def opening(lips: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return by how many millimetres each channel at value 1 opens the lips.

    Args:
        lips: Offsets (K, 20, 3) in millimetres, see `measure`; (K, 0, 3) if the lips are not known.

    Returns:
        Millimetres (K,), negative for channels that close the lips; zeros if the lips are not known.
    """
    return lips[:, UPPER, 2] - lips[:, LOWER, 2] if lips.shape[1] else np.zeros(len(lips), np.float32)


def gaps(lips: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return by how many millimetres (K, 3) each channel at 1 parts the lips: right, middle, left; as `opening`."""
    if not lips.shape[1]:
        return np.zeros((len(lips), 3), np.float32)
    return lips[:, UPPER_LIP, 2] - lips[:, LOWER_LIP, 2]
