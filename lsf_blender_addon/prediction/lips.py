"""How far each channel moves the lips, in millimetres of a human face, whatever the head's own units. No bpy."""

import numpy as np

RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8  # of the 68 landmarks: outer corners of the eyes
OUTER_AND_INNER_LIPS = slice(48, 68)
EYES_APART = 89.2  # millimetres between the outer corners of the eyes, on the project's own head
UPPER, LOWER = 62 - 48, 66 - 48  # points of `measure` in the middle of the inner lips


def measure(basis: np.ndarray, landmarks68: np.ndarray, landmark_vertices: np.ndarray) -> np.ndarray:
    """(K, 20, 3) float32: offsets of the lips' landmarks 48 to 67 for each channel at 1.

    Takes a basis (K, V, 3), landmarks (68, 3) and their nearest vertices (68,), all in the same axes and units. The
    offsets are in millimetres; their axes are the head's: to its left, to the back, up.
    """
    across = landmarks68[LEFT_EYE] - landmarks68[RIGHT_EYE]
    down = landmarks68[CHIN] - (landmarks68[LEFT_EYE] + landmarks68[RIGHT_EYE]) / 2
    size = np.linalg.norm(across)
    left = across / size
    up = (down @ left) * left - down
    up /= np.linalg.norm(up)
    axes = np.stack([left, np.cross(up, left), up])
    lips = basis[:, np.asarray(landmark_vertices)[OUTER_AND_INNER_LIPS]]
    return (lips @ axes.T * (EYES_APART / size)).astype(np.float32)


def opening(lips: np.ndarray) -> np.ndarray:
    """(K,) millimetres by which each channel at 1 parts the lips; zeros where `lips` (K, 0, 3) is not known."""
    return lips[:, UPPER, 2] - lips[:, LOWER, 2] if lips.shape[1] else np.zeros(len(lips), np.float32)
