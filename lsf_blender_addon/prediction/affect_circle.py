"""A picture of the circle of affect, for a panel. No bpy."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..client.wire import EMOTIONS, affect
from .emotion_segments import COLOURS

MARGIN = 1.12  # half of the picture's width, in radii of the circle
POINT, RING = 0.09, 0.03  # radii of the point and of the white ring around it, likewise
EDGE = 0.03  # width of the line around the circle, likewise
WHITE, BLACK = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0)


def picture(size: int, valence: float, arousal: float) -> NDArray[np.float32]:
    """Draw the circle with the colours of the emotions, and a point in it.

    Args:
        size: Width and height in pixels.
        valence: −1, at the left, to 1.
        arousal: −1, at the bottom, to 1.

    Returns:
        RGBA values (size, size, 4), sRGB from 0 to 1, bottom row first, as Blender stores images.
    """
    places, background = _background(size)
    pixels = background.copy()
    distance = np.hypot(places[..., 0] - valence, places[..., 1] - arousal)
    pixels[distance < POINT + RING] = WHITE
    pixels[distance < POINT] = BLACK
    return pixels


@lru_cache(1)
def _background(size: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Places (size, size, 2) of the pixels, and the circle (size, size, 4) without a point."""
    axis = MARGIN * (2 * (np.arange(size) + 0.5) / size - 1)
    places = np.stack(np.meshgrid(axis, axis), -1)
    palette = np.array([COLOURS[name] for name in EMOTIONS])
    pixels = np.zeros((size, size, 4), np.float32)
    pixels[..., :3] = affect.weights(places) @ palette
    radius = np.hypot(places[..., 0], places[..., 1])
    pixels[..., 3] = 1
    pixels[radius > 1] = 0  # icons are drawn as if their colours were multiplied by alpha
    pixels[np.abs(radius - 1) < EDGE / 2] = BLACK
    return places, pixels
