"""The building blocks that the streams, the fusion and the motion prior share.

Shapes: B clips, F frames, C channels. A `mask` (B, F) is true on a clip's own frames, which come first; None means that
all frames are valid. Every block gives a padded clip the same values as it gives that clip alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def extend_last(x: Tensor, mask: Tensor | None) -> Tensor:
    """X (B, F, C) with the padding overwritten by each clip's last own frame: replicate padding for a batch."""
    if mask is None:
        return x
    frames = torch.arange(x.shape[1], device=x.device)
    index = torch.minimum(frames, mask.sum(1, keepdim=True) - 1)  # (B, F)
    return x.gather(1, index[..., None].expand_as(x))


class FrameConv(nn.Module):
    """Conv1d along the frames with replicate padding: (B, F, C) -> (B, F, out)."""

    def __init__(self, size: int, out: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv1d(size, out, kernel)
        self.reach = kernel // 2

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = extend_last(x, mask).transpose(1, 2)
        return self.conv(F.pad(x, (self.reach, self.reach), mode="replicate")).transpose(1, 2)


class InstanceNorm(nn.Module):
    """InstanceNorm1d over a clip's own frames. One frame or a constant gives zeros (torch's own refuses one frame)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        own = x.new_ones(x.shape[:2]) if mask is None else mask.to(x.dtype)
        own = own[..., None] / own.sum(1)[:, None, None]  # weights of a mean over the frames
        mean = (x * own).sum(1, keepdim=True)
        variance = ((x - mean).square() * own).sum(1, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5)


class FrameNorm(nn.Module):
    """LayerNorm of every frame by itself, so that a window's length does not matter."""

    def __init__(self, size: int):
        super().__init__()
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.norm(x)


class ConvEmbedding(nn.Module):
    """Conv1d, LeakyReLU 0.2, norm, linear: the paper's way into a transformer. (B, F, C) -> same."""

    def __init__(self, size: int, kernel: int, norm: str):
        super().__init__()
        self.conv = FrameConv(size, size, kernel)
        self.norm = InstanceNorm() if norm == "instance" else FrameNorm(size)
        self.linear = nn.Linear(size, size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.linear(self.norm(F.leaky_relu(self.conv(x, mask), 0.2), mask))


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """Sinusoidal position codes (..., size) of `positions` (...)."""
    rates = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-9.210340371976184 / size))  # ln 10000
    angles = positions[..., None] * rates
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)


def rotate(x: Tensor) -> Tensor:
    """Rotary positions: x (B, heads, L, D) turned so that products depend on the distance of two frames alone."""
    half = x.shape[-1] // 2
    rates = torch.exp(torch.arange(half, device=x.device) * (-9.210340371976184 / half))
    angles = torch.arange(x.shape[2], device=x.device)[:, None] * rates
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()), -1)


def attention_mask(mask: Tensor | None, frames: int, span: int, tokens: int = 0, device=None) -> Tensor | None:
    """Who may attend to whom, (B or 1, 1, L, L) with L = tokens + frames: own frames no further than `span` away (0: no
    limit); `tokens` in front see and are seen by all. None where nothing is forbidden.
    """
    if mask is None and (not span or span >= frames):
        return None
    allowed = torch.ones(1, frames, frames, dtype=torch.bool, device=device)
    if span:
        allowed = allowed.triu(-span).tril(span)
    if mask is not None:
        # A padding frame sees itself, so that its row of the softmax is not empty.
        allowed = allowed & mask[:, None, :] | torch.eye(frames, dtype=torch.bool, device=device)
        seen = mask[:, None, :].expand(-1, tokens, -1)
    else:
        seen = allowed.new_ones(1, tokens, frames)
    allowed = torch.cat((seen, allowed), 1)  # (B, L, F)
    return torch.cat((allowed.new_ones(*allowed.shape[:2], tokens), allowed), 2)[:, None]


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and MLP, (B, L, C) -> same; `rotary` gives relative positions."""

    def __init__(self, size: int, heads: int, mlp: int, dropout: float, rotary: bool = False):
        super().__init__()
        self.heads, self.rotary, self.dropout = heads, rotary, dropout
        self.attention_norm = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.mlp = pre_norm_mlp(size, mlp, dropout)

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(self.attention_norm(x)).chunk(3, -1))
        if self.rotary:
            q, k = rotate(q), rotate(k)
        dropout = self.dropout if self.training else 0.0
        heard = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout)
        x = x + F.dropout(self.out(heard.transpose(1, 2).flatten(2)), dropout)
        return x + self.mlp(x)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, L, C) -> (B, heads, L, C / heads)"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def pre_norm_mlp(size: int, mlp: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, mlp),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(mlp, size),
        nn.Dropout(dropout),
    )
