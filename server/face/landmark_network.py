"""The landmark networks: a small convolutional network that gives coordinates as the mean of one heat map a landmark.

Soft-argmax regression as in Nibali et al., "Numerical Coordinate Regression with Convolutional Neural Networks", 2018.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .raster import View

INPUT_CHANNELS = 5  # normal x, y, z, depth, filled
DEPTH_CHANNEL, FILLED_CHANNEL = 3, 4


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with a skip connection."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, width, H, W)."""
        return torch.relu(x + self.body(x))


def conv_block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 × 3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class LandmarkNet(nn.Module):
    """An encoder to 1/16 of the image's side, a decoder to 1/4, and one heat map for each of L landmarks."""

    def __init__(self, landmarks: int, widths: Sequence[int] = (32, 48, 96, 128)):
        super().__init__()
        a, b, c, d = widths
        self.fine = nn.Sequential(conv_block(INPUT_CHANNELS, a, 2), conv_block(a, b, 2), ResidualBlock(b))  # S / 4
        self.middle = nn.Sequential(conv_block(b, c, 2), ResidualBlock(c))  # S / 8
        self.coarse = nn.Sequential(conv_block(c, d, 2), ResidualBlock(d), ResidualBlock(d))  # S / 16
        self.to_middle = nn.Conv2d(d, c, 1)
        self.to_fine = nn.Sequential(conv_block(c, b), nn.Conv2d(b, b, 1))
        self.heat = nn.Sequential(conv_block(b, 64), nn.Conv2d(64, landmarks, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Predict landmarks.

        Args:
            image: (B, 5, S, S) from to_image.

        Returns:
            Points (B, L, 2) as column and row, -1 to 1 over the image, and the standard deviation (B, L) of each
            heat map in the same unit.
        """
        fine = self.fine(image)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        upsample = nn.functional.interpolate
        middle = torch.relu(middle + upsample(self.to_middle(coarse), scale_factor=2.0, mode="bilinear"))
        fine = torch.relu(fine + upsample(self.to_fine(middle), scale_factor=2.0, mode="bilinear"))
        heat = self.heat(fine)
        probability = heat.flatten(2).softmax(-1).view_as(heat)  # (B, L, S/4, S/4)
        side = heat.shape[-1]
        position = (torch.arange(side, device=heat.device, dtype=heat.dtype) + 0.5) * 2 / side - 1
        columns, rows = probability.sum(2), probability.sum(3)
        mean = torch.stack([columns @ position, rows @ position], dim=-1)
        square = columns @ position**2 + rows @ position**2
        return mean, (square - (mean**2).sum(-1)).clamp_min(1e-8).sqrt()


def to_image(view: View) -> Tensor:
    """Return the network input (5, P, P) of a view: normals, depth in image sides, and where there is a surface."""
    filled = torch.from_numpy(view.filled)
    depth = torch.from_numpy(view.depth / view.size).float()
    image = torch.cat([torch.from_numpy(view.normal).float().permute(2, 0, 1), depth[None], filled[None].float()])
    return centre_depth(image)


def centre_depth(image: Tensor) -> Tensor:
    """Make the depth of an image (5, P, P) relative to the median of its middle, clip it to ±1, in place.

    Depth is 0 where there is no surface. Returns the image.
    """
    side = image.shape[-1]
    filled = image[FILLED_CHANNEL] > 0.5
    inner = slice(side // 4, side - side // 4)
    depth = image[DEPTH_CHANNEL]
    middle = depth[inner, inner][filled[inner, inner]]
    everywhere = depth[filled]
    reference = middle.median() if len(middle) else everywhere.median() if len(everywhere) else 0.0
    image[DEPTH_CHANNEL] = torch.where(filled, (depth - reference).clamp(-1, 1), 0.0)
    return image
