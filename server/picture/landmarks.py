"""Finds the landmarks of a face, with MediaPipe's Attention Mesh: 468 of the face and 5 on each iris.

Their numbers are MediaPipe's. "Right" is the person's right.
"""

import numpy as np

from ..numerics import FloatArray
from . import network
from .crops import Pyramid, Square

PIXELS = 192  # side of the network's input
COUNT = 478
IRISES = slice(468, 478)  # the right eye's first: its centre, then four points of its border
RIGHT_EYE, LEFT_EYE = (33, 133), (362, 263)  # corners
# The box of the landmarks, in these units, is what the network looks at the second time.
SCALE = 1.5
MIN_PRESENCE = 0.5  # probability that there is a face
# The landmarks are the mean of what the network finds in squares that are turned, scaled and moved a little: its
# errors in them differ. Angle in radians; scale; shift in units of the side.
VIEWS = (
    (0.0, 1.0, 0.0, 0.0),
    (0.08, 0.95, 0.01, -0.01),
    (-0.08, 0.95, -0.01, -0.01),
    (0.05, 1.08, -0.01, 0.01),
    (-0.05, 1.08, 0.01, 0.01),
)


def find(pyramid: Pyramid, square: Square) -> tuple[FloatArray, float]:
    """Find the landmarks of a face.

    Args:
        pyramid: The picture.
        square: Where the detector has found the face.

    Returns:
        Column, row and depth (478, 3) in pixels, and the probability that there is a face, 0 to 1. Depth grows away
        from the viewer; its zero is near the middle of the head.
    """
    points, _ = _find_once(pyramid, square)
    square = _square(points)
    found = []
    for turn, scale, right, down in VIEWS:
        shift = square.side * np.array([right, down])
        found.append(_find_once(pyramid, Square(square.centre + shift, square.side * scale, square.angle + turn)))
    return np.mean([points for points, _ in found], 0), float(np.mean([presence for _, presence in found]))


def _find_once(pyramid: Pyramid, square: Square) -> tuple[FloatArray, float]:
    """Run the network on one square; result as in `find`."""
    run = network.load("landmarks")
    mesh, lips, right_eye, left_eye, right_iris, left_iris, presence = run(pyramid.crop(square, PIXELS))
    points = np.zeros((COUNT, 3))
    points[:468] = mesh.numpy().reshape(468, 3)
    # The network looks at lips and eyes a second time, with the points of three crops.
    for step, part in zip(run.steps("crop_matrix"), (lips, right_eye, left_eye), strict=True):
        points[step["points"], :2] = part.numpy().reshape(-1, 2)
    for start, part, eye in ((468, right_iris, RIGHT_EYE), (473, left_iris, LEFT_EYE)):
        points[start : start + 5, :2] = part.numpy().reshape(5, 2)
        points[start : start + 5, 2] = points[list(eye), 2].mean()
    places = square.to_picture(points[:, :2] / PIXELS)
    depths = points[:, 2] * square.side / PIXELS
    return np.column_stack([places, depths]), float(presence.sigmoid())


def _square(points: FloatArray) -> Square:
    """Return the square around landmarks (478, 3), turned so that the eyes are level."""
    right, left = (points[list(eye), :2].mean(0) for eye in (RIGHT_EYE, LEFT_EYE))
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    turn = Square(np.zeros(2), 1.0, angle).matrix[:, :2]
    turned = points[:, :2] @ turn
    low, high = turned.min(0), turned.max(0)
    return Square(turn @ ((low + high) / 2), SCALE * float((high - low).max()), angle)
