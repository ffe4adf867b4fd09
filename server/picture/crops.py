"""Squares cut out of a picture, turned and resampled for a network."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..numerics import FloatArray


@dataclass(frozen=True)
class Square:
    """A square in a picture, in pixels; pixel centres lie at .5.

    Attributes:
        centre: Column and row of its centre (2,).
        side: Length of its side.
        angle: How far it is turned clockwise as seen, in radians.
    """

    centre: FloatArray
    side: float
    angle: float = 0.0

    @property
    def matrix(self) -> FloatArray:
        """The matrix (2, 3) from places in the square, 0 to 1, to column and row."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = self.side * np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, self.centre - linear @ [0.5, 0.5]])

    def to_picture(self, places: FloatArray) -> FloatArray:
        """Convert places (N, 2) in the square, 0 to 1, to column and row (N, 2)."""
        matrix = self.matrix
        return places @ matrix[:, :2].T + matrix[:, 2]


class Pyramid:
    """A picture in smaller and smaller copies, so that a large square is resampled without aliasing.

    Args:
        picture: RGB (H, W, 3), 0 to 1.
    """

    def __init__(self, picture: NDArray[np.float32]) -> None:
        level = torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None]
        self._levels = [level]
        while min(level.shape[2:]) >= 4:
            level = functional.avg_pool2d(level, 2, ceil_mode=True)
            self._levels.append(level)

    def crop(self, square: Square, pixels: int) -> Tensor:
        """Return a square of the picture, resampled.

        Args:
            square: The square. What lies outside of the picture repeats its border.
            pixels: Side of the result.

        Returns:
            RGB (1, 3, pixels, pixels), 0 to 1.
        """
        number = int(np.clip(np.floor(np.log2(max(1.0, square.side / pixels))), 0, len(self._levels) - 1))
        level = self._levels[number]
        at = (torch.arange(pixels) + 0.5) / pixels
        rows, columns = torch.meshgrid(at, at, indexing="ij")
        matrix = torch.from_numpy(square.matrix).float()
        places = torch.stack([columns, rows], -1) @ matrix[:, :2].T + matrix[:, 2]
        extent = torch.tensor([level.shape[3], level.shape[2]]) * 2**number
        grid = (2 * places / extent - 1)[None]
        return functional.grid_sample(level, grid, padding_mode="border", align_corners=False)
