"""A picture to judge fits by: each head (row) in a few poses (columns), shaded by the package's own rasteriser."""

import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ..raster import render, vertex_normals
from ..space import FaceSpace
from .synthetic import rotation

POSES = {
    "neutral": (),
    "jawOpen": ("jawOpen",),
    "mouthPucker": ("mouthPucker",),
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouthClose + jawOpen": ("mouthClose", "jawOpen"),
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
}
PIXELS, OVERSAMPLING = 150, 2
YAW, MARGIN = 25, 0.8  # degrees; side of the view over the face's height
LIGHT, FILL = np.array([-0.45, -0.75, 0.5]), np.array([0.8, -0.3, -0.2])
SKIN, BACKGROUND = np.array([0.84, 0.66, 0.56]), 0.16


def row(vertices: np.ndarray, triangles: np.ndarray, space: FaceSpace) -> np.ndarray:
    """(PIXELS, len(POSES) * PIXELS, 3) uint8: one head in all poses, from the front, turned a little."""
    marks = space.landmarks68.astype(float)
    across = marks[45] - marks[36]
    up = marks[27] - marks[8]
    across /= np.linalg.norm(across)
    up = up - (up @ across) * across
    up /= np.linalg.norm(up)
    upright = rotation(0, 0, YAW) @ np.stack([across, np.cross(up, across), up])
    middle = (marks[8] + marks[27]) / 2
    size = 2 * MARGIN * np.linalg.norm(marks[27] - marks[8])
    pictures = []
    for channels in POSES.values():
        posed = vertices + sum(space.basis[space.channels.index(c)] for c in channels)
        pictures.append(shade((posed - middle) @ upright.T, triangles, size))
    return np.concatenate(pictures, axis=1)


def shade(vertices, triangles, size):
    view = render(vertices, triangles, vertex_normals(vertices, triangles), np.zeros(2), size, PIXELS * OVERSAMPLING)
    key, fill = ((view.normal @ (light / np.linalg.norm(light))).clip(0, 1) for light in (LIGHT, FILL))
    # Cavities are dark: what lies deeper than its surroundings.
    depth = np.where(view.triangle >= 0, view.depth, np.nanmax(view.depth))
    hollow = (depth - gaussian_filter(depth, 0.04 * len(depth))) / size
    glow = (0.12 + 0.85 * key + 0.25 * fill) * np.exp(-25 * hollow.clip(0, 0.2))
    picture = np.where((view.triangle >= 0)[..., None], glow[..., None] * SKIN, BACKGROUND)
    picture = picture.reshape(PIXELS, OVERSAMPLING, PIXELS, OVERSAMPLING, 3).mean((1, 3))
    return (63 * picture.clip(0, 1) ** (1 / 1.6)).astype(np.uint8) * 4  # few shades: small files


def write_png(path: Path, image: np.ndarray):
    """8-bit RGB (H, W, 3)."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
