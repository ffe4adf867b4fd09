"""The landmark networks: a small convolution net that gives coordinates as the mean of a heat map per landmark."""

import torch
from torch import nn

CHANNELS_IN = 5  # normal x, y, z, depth, filled


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return torch.relu(x + self.body(x))


def step(before, after, stride=1):
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class LandmarkNet(nn.Module):
    """(B, 5, S, S) -> points (B, L, 2) in -1..1 over the image (column, row) and their spread (B, L)."""

    def __init__(self, landmarks: int, widths=(32, 48, 96, 128)):
        super().__init__()
        a, b, c, d = widths
        self.fine = nn.Sequential(step(CHANNELS_IN, a, 2), step(a, b, 2), Block(b))  # S / 4
        self.middle = nn.Sequential(step(b, c, 2), Block(c))  # S / 8
        self.coarse = nn.Sequential(step(c, d, 2), Block(d), Block(d))  # S / 16
        self.to_middle = nn.Conv2d(d, c, 1)
        self.to_fine = nn.Sequential(step(c, b), nn.Conv2d(b, b, 1))
        self.heat = nn.Sequential(step(b, 64), nn.Conv2d(64, landmarks, 1))

    def forward(self, image):
        fine = self.fine(image)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        double = nn.functional.interpolate
        middle = torch.relu(middle + double(self.to_middle(coarse), scale_factor=2.0, mode="bilinear"))
        fine = torch.relu(fine + double(self.to_fine(middle), scale_factor=2.0, mode="bilinear"))
        heat = self.heat(fine)
        share = heat.flatten(2).softmax(-1).view_as(heat)  # (B, L, S/4, S/4)
        side = heat.shape[-1]
        at = (torch.arange(side, device=heat.device, dtype=heat.dtype) + 0.5) * 2 / side - 1
        across, down = share.sum(2), share.sum(3)
        mean = torch.stack([across @ at, down @ at], dim=-1)
        square = across @ at**2 + down @ at**2
        return mean, (square - (mean**2).sum(-1)).clamp_min(1e-8).sqrt()


def to_image(view) -> torch.Tensor:
    """(5, P, P) network input from a raster.View: normals, depth from the middle in image sides, filled."""
    filled = torch.from_numpy(view.triangle >= 0)
    depth = torch.from_numpy(view.depth / view.size).float()
    image = torch.cat([torch.from_numpy(view.normal).float().permute(2, 0, 1), depth[None], filled[None].float()])
    return centre_depth(image)


def centre_depth(image):
    """Depth relative to the median of the middle of the image, clipped, 0 where nothing is."""
    side = image.shape[-1]
    filled = image[4] > 0.5
    quarter = slice(side // 4, side - side // 4)
    middle = image[3, quarter, quarter][filled[quarter, quarter]]
    everywhere = image[3][filled]
    reference = middle.median() if len(middle) else everywhere.median() if len(everywhere) else 0.0
    image[3] = torch.where(filled, (image[3] - reference).clamp(-1, 1), 0.0)
    return image
