"""Layers that the streams, the fusion and the motion prior share.

Shapes: B clips, F frames, C channels. A `mask` (B, F) is true on the valid frames of a clip, which come first; None
means that all frames are valid. Padding never changes the values of the valid frames.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POSITION_BASE = 10000.0  # ratio of the longest to the shortest wavelength of positions (Vaswani et al. 2017)
NORM_EPSILON = 1e-5  # added to the variance; torch's default


def extend_last(x: Tensor, mask: Tensor | None) -> Tensor:
    """Overwrite the padding of x (B, F, C) with each clip's last valid frame: replicate padding for a batch."""
    if mask is None:
        return x
    frames = torch.arange(x.shape[1], device=x.device)
    index = torch.minimum(frames, mask.sum(1, keepdim=True) - 1)  # (B, F)
    return x.gather(1, index[..., None].expand_as(x))


class FrameConv(nn.Module):
    """Convolution along the frames with replicate padding: (B, F, C) -> (B, F, out)."""

    def __init__(self, size: int, out: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv1d(size, out, kernel)
        self.padding = kernel // 2

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve x (B, F, C) with `mask` (B, F)."""
        x = extend_last(x, mask).transpose(1, 2)
        convolved: Tensor = self.conv(F.pad(x, (self.padding, self.padding), mode="replicate"))
        return convolved.transpose(1, 2)


class InstanceNorm(nn.Module):
    """InstanceNorm1d over the valid frames. One frame or a constant gives zeros (torch's own refuses one frame)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise x (B, F, C) over the frames of `mask` (B, F)."""
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x  # half precision rounds sums and counts
        valid = wide.new_ones(x.shape[:2]) if mask is None else mask.to(wide.dtype)
        weight = valid[..., None] / valid.sum(1)[:, None, None]  # of a mean over the frames
        mean = (wide * weight).sum(1, keepdim=True)
        variance = ((wide - mean).square() * weight).sum(1, keepdim=True)
        return ((wide - mean) * torch.rsqrt(variance + NORM_EPSILON)).to(x.dtype)


class FrameNorm(nn.Module):
    """LayerNorm of each frame, so that the length of a window does not matter."""

    def __init__(self, size: int):
        super().__init__()
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise x (B, F, C); the mask is not needed."""
        normalised: Tensor = self.norm(x)
        return normalised


class ConvEmbedding(nn.Module):
    """Convolution, LeakyReLU 0.2, norm, linear: the paper's embedding before a transformer, (B, F, C) -> same."""

    def __init__(self, size: int, kernel: int, norm: str, linear: bool = True):
        """Make the layers.

        Args:
            size: C, channels.
            kernel: Frames of the convolution.
            norm: "instance" or "layer".
            linear: Whether it has the linear layer; without it, others share one.
        """
        super().__init__()
        self.conv = FrameConv(size, size, kernel)
        self.norm = InstanceNorm() if norm == "instance" else FrameNorm(size)
        self.linear = nn.Linear(size, size) if linear else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embed x (B, F, C) with `mask` (B, F)."""
        embedded: Tensor = self.linear(self.norm(F.leaky_relu(self.conv(x, mask), 0.2), mask))
        return embedded


def double(x: Tensor) -> Tensor:
    """Convert to float64; on the CPU where the device is MPS, which has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """Return the sinusoidal encoding (..., size) of `positions` (...) (Vaswani et al. 2017)."""
    rates = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-math.log(POSITION_BASE) / size))
    angles = positions[..., None] * rates
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)


def rotate(x: Tensor) -> Tensor:
    """Apply rotary positions (Su et al. 2021) to queries or keys.

    Args:
        x: (B, heads, L, D).

    Returns:
        The rotated x. Products of rotated queries and keys depend on the distance of two frames only.
    """
    half = x.shape[-1] // 2
    rates = torch.exp(torch.arange(half, device=x.device) * (-math.log(POSITION_BASE) / half))
    angles = torch.arange(x.shape[2], device=x.device)[:, None] * rates
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def attention_mask(
    mask: Tensor | None, frames: int, span: int, tokens: int = 0, device: torch.device | None = None
) -> Tensor | None:
    """Make the mask of a self-attention over tokens and frames.

    Args:
        mask: (B, F) true on valid frames; None: all are valid.
        frames: F.
        span: Frames on either side that a frame attends to; 0 is all.
        tokens: Number of tokens before the frames, which attend to everything and which everything attends to.
        device: Device of the result.

    Returns:
        (B or 1, 1, L, L), L = tokens + frames, true where attention is allowed; None if it is allowed everywhere.
    """
    if mask is None and (not span or span >= frames):
        return None
    allowed = torch.ones(1, frames, frames, dtype=torch.bool, device=device)
    if span:
        allowed = allowed.triu(-span).tril(span)
    if mask is not None:
        # A padding frame attends to itself: the softmax of an empty row would be NaN.
        allowed = allowed & mask[:, None, :] | torch.eye(frames, dtype=torch.bool, device=device)
        from_tokens = mask[:, None, :].expand(-1, tokens, -1)
    else:
        from_tokens = allowed.new_ones(1, tokens, frames)
    allowed = torch.cat((from_tokens, allowed), 1)  # (B, L, F)
    return torch.cat((allowed.new_ones(*allowed.shape[:2], tokens), allowed), 2)[:, None]


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward layer: (B, L, C) -> same."""

    def __init__(self, size: int, heads: int, mlp: int, dropout: float, rotary: bool = False):
        """Make the layer.

        Args:
            size: C, channels.
            heads: Attention heads.
            mlp: Width of the feed-forward layer.
            dropout: Dropout rate.
            rotary: Whether attention has rotary positions, which are relative.
        """
        super().__init__()
        self.heads, self.rotary, self.dropout = heads, rotary, dropout
        self.attention_norm = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.mlp = pre_norm_mlp(size, mlp, dropout)

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Transform x (B, L, C); `allowed` (B or 1, 1, L, L) is true where attention is allowed."""
        qk, v = split_heads(self.qkv(self.attention_norm(x)), 3 * self.heads).split((2 * self.heads, self.heads), 1)
        q, k = (rotate(qk) if self.rotary else qk).chunk(2, 1)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        x = x + F.dropout(self.out(attended.transpose(1, 2).flatten(2)), dropout)
        transformed: Tensor = x + self.mlp(x)
        return transformed


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Split the channels of x (B, L, C) for multi-head attention: (B, heads, L, C / heads)."""
    batch, length, channels = x.shape
    return x.reshape(batch, length, heads, channels // heads).transpose(1, 2)


def pre_norm_mlp(size: int, mlp: int, dropout: float) -> nn.Sequential:
    """Return the feed-forward layer of a transformer: `size` -> `mlp` -> `size` channels, with the norm before it."""
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, mlp),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(mlp, size),
        nn.Dropout(dropout),
    )
