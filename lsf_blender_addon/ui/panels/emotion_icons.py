"""Pictures for the emotion panel: a swatch of each emotion's colour, and a chart of the line at hand."""

import bpy
import bpy.utils.previews
import numpy as np

from ...prediction import emotion_segments
from ...prediction.store import Implied

SWATCH, TILE = 16, 64  # pixels
TILES = 6  # square icons side by side that make up the chart

_icons: bpy.utils.previews.ImagePreviewCollection | None = None
_charted: bytes | None = None  # what the chart shows


def swatch(emotion: str) -> int:
    """Icon of the emotion's colour."""
    icons = _collection()
    if emotion not in icons:
        colour = (*emotion_segments.COLOURS.get(emotion, emotion_segments.OTHER), 1.0)
        _fill(icons.new(emotion), np.broadcast_to(np.float32(colour), (SWATCH, SWATCH, 4)))
    return icons[emotion].icon_id


def chart(implied: Implied) -> list[int]:
    """Icons that show, side by side, the shares of the emotions over the line."""
    global _charted
    icons = _collection()
    tiles = [f"chart {i}" for i in range(TILES)]
    shown = implied.emotion.tobytes()
    if _charted != shown:
        picture = emotion_segments.picture(implied.emotion, implied.emotions, TILES * TILE, TILE)
        for name, pixels in zip(tiles, np.split(picture, TILES, axis=1), strict=True):
            _fill(icons[name] if name in icons else icons.new(name), pixels)
        _charted = shown
    return [icons[name].icon_id for name in tiles]


def free() -> None:
    """Forget all pictures."""
    global _icons, _charted
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons = _charted = None


def _collection() -> bpy.utils.previews.ImagePreviewCollection:
    global _icons
    if _icons is None:
        _icons = bpy.utils.previews.new()
    return _icons


def _fill(preview: bpy.types.ImagePreview, pixels: np.ndarray) -> None:
    """Set small and large picture to pixels (height, width, 4), 0 to 1."""
    height, width = pixels.shape[:2]
    flat = np.ascontiguousarray(pixels, np.float32).ravel()
    preview.icon_size = preview.image_size = width, height
    preview.icon_pixels_float.foreach_set(flat)
    preview.image_pixels_float.foreach_set(flat)
