"""Reads a picture file by Blender's own readers, as the server wants it."""

import contextlib
from pathlib import Path
from typing import cast

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from ..errors import UserError

MAX_SIDE = 1536  # pixels that are sent: more show no more of a face


def load(path: str) -> NDArray[np.uint8]:
    """Read a picture.

    Args:
        path: PNG, JPEG, or whatever Blender reads; may begin with // for the folder of the .blend file.

    Returns:
        RGB (H, W, 3), the top row first, on white where it is transparent; smaller than in the file if it is large.

    Raises:
        UserError: The file is no picture.
    """
    whole = Path(bpy.path.abspath(path))
    image = None
    try:
        image = bpy.data.images.load(str(whole), check_existing=False)
        width, height = cast("tuple[int, int]", image.size)
        values = np.empty(width * height * 4, np.float32)
        if not values.size:
            raise RuntimeError
        image.pixels.foreach_get(values)
        is_float = image.is_float
    except RuntimeError:
        text = iface('"{file}" is no picture that Blender can read: choose a PNG or JPEG file')
        raise UserError(text.format(file=whole.name)) from None
    finally:
        if image is not None:
            with contextlib.suppress(ReferenceError):
                bpy.data.images.remove(image)
    return to_bytes(values.reshape(height, width, 4)[::-1], is_linear=is_float)


def to_bytes(pixels: NDArray[np.float32], is_linear: bool) -> NDArray[np.uint8]:
    """Convert pixels to bytes.

    Args:
        pixels: RGBA (H, W, 4).
        is_linear: Whether the colours are linear, as in an EXR file, and not those of a PNG file.

    Returns:
        RGB (H, W, 3), with no side longer than MAX_SIDE.
    """
    step = -(-max(pixels.shape[:2]) // MAX_SIDE)
    rows, columns = (length // step for length in pixels.shape[:2])
    blocks = pixels[: rows * step, : columns * step].reshape(rows, step, columns, step, 4)
    mean = blocks.mean((1, 3))
    alpha = mean[..., 3:].clip(0, 1)
    colour = mean[..., :3].clip(0, 1)
    if is_linear:
        colour = np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * colour ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.round((colour * alpha + 1 - alpha) * 255).astype(np.uint8)
