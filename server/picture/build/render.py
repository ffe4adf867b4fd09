"""Renders the project's head as a picture, in numpy: any expression, person, view, lens and light, with known truth."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...face import raster
from ...face.geometry import vertex_normals
from ...face.head import MATERIALS, Head
from ...numerics import FloatArray, IntArray
from ..camera import Camera

# Colours of MATERIALS, linear RGB.
COLOURS = {
    "skin": (0.55, 0.32, 0.24),
    "lips": (0.42, 0.14, 0.13),
    "sclera": (0.75, 0.72, 0.70),
    "iris": (0.10, 0.06, 0.03),
    "pupil": (0.004, 0.004, 0.004),
    "teeth": (0.65, 0.60, 0.50),
    "gums": (0.35, 0.10, 0.10),
    "tongue": (0.40, 0.15, 0.14),
    "mouth": (0.06, 0.01, 0.01),
}
BROW = (0.05, 0.03, 0.02)
BROWS = (range(17, 22), range(22, 27))  # of the 68 landmarks
BROW_HALF_WIDTH = 0.003  # metres
BRIGHT = 0.5  # linear brightness that is white


@dataclass(frozen=True)
class Light:
    """Lighting: light from everywhere, and one lamp far away.

    Attributes:
        direction: From the head to the lamp (3,), world.
        ambient: Share of the light from everywhere, 0 to 1.
        tint: Colour of the light (3,).
    """

    direction: FloatArray = field(default_factory=lambda: np.array([0.3, -1.0, 0.5]))
    ambient: float = 0.45
    tint: FloatArray = field(default_factory=lambda: np.ones(3))


@dataclass(frozen=True)
class Look:
    """Colours of a person.

    Attributes:
        skin: Factor of the colours of skin and lips.
        brow: How dark the brows are, 0 to 1.
        background: Linear RGB (3,).
    """

    skin: float = 1.0
    brow: float = 1.0
    background: FloatArray = field(default_factory=lambda: np.array([0.2, 0.2, 0.22]))


@dataclass(frozen=True)
class Rendering:
    """A picture of the head.

    Attributes:
        picture: RGB (P, P, 3), 0 to 1, as in a file.
        triangle: Index of the triangle at each pixel (P, P), -1 where there is none.
        seen: Vertices in the camera's frame (V, 3): column, depth, minus row.
    """

    picture: NDArray[np.float32]
    triangle: IntArray
    seen: FloatArray


def render(
    head: Head, vertices: FloatArray, camera: Camera, pixels: int, light: Light | None = None, look: Look | None = None
) -> Rendering:
    """Render the head.

    Args:
        head: The head, for its triangles and materials.
        vertices: Its vertices (V, 3), posed.
        camera: The camera; its unit is the pixel.
        pixels: Side of the picture.
        light: The light.
        look: The colours.
    """
    light, look = light or Light(), look or Look()
    turned = camera.turned(vertices)
    places = camera.project(vertices)
    seen = np.column_stack([places[:, 0], turned[:, 1] * camera.scale, -places[:, 1]])
    normals = vertex_normals(seen, head.triangles)
    view = raster.render(seen, head.triangles, normals, np.array([pixels / 2, -pixels / 2]), pixels, pixels)
    colours = np.array([COLOURS[name] for name in MATERIALS]) * np.where(
        np.isin(MATERIALS, ("skin", "lips"))[:, None], look.skin, 1
    )
    albedo = colours[head.material][view.triangle]
    distance = _interpolate(view, seen, head.triangles, _brow_distance(head))
    brows = (1.5 - distance / BROW_HALF_WIDTH).clip(0, 1)[..., None] * look.brow
    albedo = albedo * (1 - brows) + np.array(BROW) * brows
    lamp = light.direction / np.linalg.norm(light.direction)
    shade = (
        light.ambient * (0.8 + 0.2 * view.normal[..., 2:])
        + (1 - light.ambient) * np.maximum(view.normal @ lamp, 0)[..., None] * 1.3
    )
    image = np.where(view.filled[..., None], albedo * shade * light.tint, look.background)
    picture = (image / BRIGHT).clip(0, 1) ** (1 / 2.2)
    return Rendering(picture.astype(np.float32), view.triangle, seen)


def _brow_distance(head: Head) -> FloatArray:
    """Return the distance of each neutral vertex (V,) from the lines through the landmarks of the brows, metres."""
    landmarks = head.landmarks68
    least = np.full(len(head.vertices), np.inf)
    for brow in BROWS:
        for first, second in pairwise(brow):
            start, along = landmarks[first], landmarks[second] - landmarks[first]
            share = ((head.vertices - start) @ along / (along @ along)).clip(0, 1)
            least = np.minimum(least, np.linalg.norm(head.vertices - start - share[:, None] * along, axis=1))
    return least


def _interpolate(view: raster.View, seen: FloatArray, triangles: IntArray, values: FloatArray) -> FloatArray:
    """Interpolate values of the vertices (V,) at the pixels (P, P); infinite where there is no triangle."""
    rows, columns = np.nonzero(view.filled)
    corners = triangles[view.triangle[rows, columns]]
    at = np.stack([columns + 0.5, -(rows + 0.5)], -1)
    first, second, third = (seen[corners[:, k]][:, [0, 2]] for k in range(3))
    sides = np.stack([second - first, third - first], -1)
    area = np.linalg.det(sides)
    shares = (
        np.stack(
            [
                np.linalg.det(np.stack([at - first, third - first], -1)),
                np.linalg.det(np.stack([second - first, at - first], -1)),
            ],
            -1,
        )
        / area[:, None]
    )
    weights = np.column_stack([1 - shares.sum(-1), shares])
    result = np.full(view.triangle.shape, np.inf)
    result[rows, columns] = (weights * values[corners]).sum(-1)
    return result
