"""Icons for the emotion panel: a swatch of each emotion's colour, a chart of the chosen line, the circle of affect."""

from typing import Any

import bpy
import bpy.utils.previews
import numpy as np
from numpy.typing import NDArray

from ...prediction import affect_circle, emotion_segments
from ...prediction.store import DetectedEmotion

SWATCH_SIZE = 16  # pixels
TILE_SIZE = 64  # pixels
CIRCLE_SIZE = 128  # pixels
TILES = 6  # square icons side by side that form the chart, as Blender draws no wide icons

_icons: bpy.utils.previews.ImagePreviewCollection | None = None
_charted: DetectedEmotion | None = None  # what the chart shows
_circled: tuple[float, float] | None = None  # the point that the circle shows


def swatch(emotion: str) -> int:
    """Return the icon number of a swatch in the emotion's colour."""
    icons = _collection()
    if emotion not in icons:
        colour = (*emotion_segments.COLOURS.get(emotion, emotion_segments.OTHER_COLOUR), 1.0)
        _fill(icons.new(emotion), np.broadcast_to(np.array(colour, np.float32), (SWATCH_SIZE, SWATCH_SIZE, 4)))
    return icons[emotion].icon_id


def chart(detected: DetectedEmotion) -> list[int]:
    """Draw the emotions of a line over time, if the chart shows others.

    Args:
        detected: The emotions of the line.

    Returns:
        Icon numbers of the chart's tiles, from left to right.
    """
    global _charted
    icons = _collection()
    tiles = [f"chart {i}" for i in range(TILES)]
    if _charted is not detected:
        picture = emotion_segments.picture(detected.emotion, detected.emotions, TILES * TILE_SIZE, TILE_SIZE)
        for name, pixels in zip(tiles, np.split(picture, TILES, axis=1), strict=True):
            _fill(icons[name] if name in icons else icons.new(name), pixels)
        _charted = detected
    return [icons[name].icon_id for name in tiles]


def circle(valence: float, arousal: float) -> int:
    """Draw the circle of affect with a point in it, if the picture shows another one.

    Args:
        valence: −1, at the left, to 1.
        arousal: −1, at the bottom, to 1.

    Returns:
        Icon number of the picture.
    """
    global _circled
    icons, point = _collection(), (round(valence, 2), round(arousal, 2))
    if _circled != point:
        name = "circle"
        _fill(icons[name] if name in icons else icons.new(name), affect_circle.picture(CIRCLE_SIZE, *point))
        _circled = point
    return icons["circle"].icon_id


def free() -> None:
    """Free all icons; they are made again when they are needed."""
    global _icons, _charted, _circled
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons = _charted = _circled = None


def _collection() -> bpy.utils.previews.ImagePreviewCollection:
    """Return the collection of the icons, which is made at the first call."""
    global _icons
    if _icons is None:
        _icons = bpy.utils.previews.new()
    return _icons


def _fill(preview: Any, pixels: NDArray[np.floating]) -> None:  # the stubs of ImagePreview lack the attributes
    """Set the icon and its large preview to pixels (height, width, 4), RGBA from 0 to 1."""
    height, width = pixels.shape[:2]
    flat = np.ascontiguousarray(pixels, np.float32).ravel()
    preview.icon_size = preview.image_size = width, height
    preview.icon_pixels_float.foreach_set(flat)
    preview.image_pixels_float.foreach_set(flat)
