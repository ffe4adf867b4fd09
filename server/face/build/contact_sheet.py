"""Contact sheet of fits: one row of pictures for each head, one column for each pose."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...arkit import channel_indices
from ...numerics import FloatArray, IntArray
from ..geometry import vertex_normals
from ..head import CHIN, NOSE_BRIDGE, OUTER_EYE_CORNERS
from ..raster import render
from ..space import FaceSpace
from .synthetic import rotation

POSES = {
    "neutral": (),
    "jawOpen": ("jawOpen",),
    "mouthPucker": ("mouthPucker",),
    "mouthSmile": ("mouthSmile",),
    "mouthClose + jawOpen": ("mouthClose", "jawOpen"),
    "eyeBlink": ("eyeBlink",),
}  # channels, or both sides of one
PIXELS, OVERSAMPLING = 150, 2  # side of one picture; factor on it at which the picture is rendered
YAW = 25  # degrees by which a head is turned
MARGIN = 0.8  # half the side of the view over the distance of chin and nose bridge
KEY_LIGHT, FILL_LIGHT = np.array([-0.45, -0.75, 0.5]), np.array([0.8, -0.3, -0.2])  # directions towards the lights
SKIN, BACKGROUND = np.array([0.84, 0.66, 0.56]), 0.16  # linear colours
GAMMA = 1.6  # of the encoding of linear colours


def draw_row(vertices: FloatArray, triangles: IntArray, space: FaceSpace) -> NDArray[np.uint8]:
    """Draw one head in all poses, from the front, turned a little.

    Args:
        vertices: Neutral vertices (V, 3).
        triangles: Triangles (T, 3).
        space: The face space of the mesh.

    Returns:
        RGB (PIXELS, len(POSES) · PIXELS, 3).
    """
    marks = space.landmarks68.astype(float)
    right, left = OUTER_EYE_CORNERS
    across = marks[left] - marks[right]
    up = marks[NOSE_BRIDGE] - marks[CHIN]
    across /= np.linalg.norm(across)
    up = up - (up @ across) * across
    up /= np.linalg.norm(up)
    upright = rotation(0, 0, YAW) @ np.stack([across, np.cross(up, across), up])
    middle = (marks[CHIN] + marks[NOSE_BRIDGE]) / 2
    size = 2 * MARGIN * float(np.linalg.norm(marks[NOSE_BRIDGE] - marks[CHIN]))
    pictures = []
    for names in POSES.values():
        posed = vertices + sum(space.basis[k] for name in names for k in channel_indices(name))
        pictures.append(shade((posed - middle) @ upright.T, triangles, size))
    return np.concatenate(pictures, axis=1)


def shade(vertices: FloatArray, triangles: IntArray, size: float) -> NDArray[np.uint8]:
    """Draw a mesh from −Y in a square of side `size` about the origin.

    Args:
        vertices: Vertices (V, 3).
        triangles: Triangles (T, 3).
        size: Side of the picture, in the unit of the vertices.

    Returns:
        RGB (PIXELS, PIXELS, 3).
    """
    view = render(vertices, triangles, vertex_normals(vertices, triangles), np.zeros(2), size, PIXELS * OVERSAMPLING)
    key, fill = ((view.normal @ (light / np.linalg.norm(light))).clip(0, 1) for light in (KEY_LIGHT, FILL_LIGHT))
    # What lies deeper than its surroundings is dark: cavities.
    depth = np.where(view.filled, view.depth, np.nanmax(view.depth))
    hollow = (depth - gaussian_filter(depth, 0.04 * len(depth))) / size
    glow = (0.12 + 0.85 * key + 0.25 * fill) * np.exp(-25 * hollow.clip(0, 0.2))
    picture = np.where(view.filled[..., None], glow[..., None] * SKIN, BACKGROUND)
    picture = picture.reshape(PIXELS, OVERSAMPLING, PIXELS, OVERSAMPLING, 3).mean((1, 3))
    shades: NDArray[np.uint8] = (63 * picture.clip(0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return shades * np.uint8(4)  # few shades: small files


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an 8-bit RGB image (H, W, 3)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
