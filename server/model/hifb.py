"""Hierarchical interaction fusion blocks (HIFB): learned tokens exchange information between emotion and motion stream.

LSF-Animation (arXiv 2510.21864): in every block the tokens pass through one transformer layer with each stream, then
attend to all pairs [e_i ; m_j] of an emotion frame and a motion frame, and continue in the next block.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LSFConfig
from .layers import TransformerLayer, attention_mask, pre_norm_mlp, split_heads


class PairAttention(nn.Module):
    """Attention of tokens to the Cartesian product of two streams, exact and in linear time.

    Key and value of a pair are linear in [e_i ; m_j], so the logit of a pair is s_i + t_j. The softmax of such a sum
    over all pairs is softmax(s) ⊗ softmax(t), whose marginals are the two softmaxes. The value is a sum as well, so the
    result is the sum of two ordinary cross-attentions: O(Fe + Fm) instead of O(Fe · Fm).
    """

    def __init__(self, size: int, heads: int, scale: str = "head", bias: bool = True):
        """Make the layers.

        Args:
            size: C, channels of tokens and streams.
            heads: Attention heads.
            scale: Logits are divided by the square root of the width of a "head", or of the whole "width" C.
            bias: Whether query and value have a bias.
        """
        super().__init__()
        inner = size // 4
        self.heads = heads
        self.scale = 1 / math.sqrt(inner // heads if scale == "head" else size)
        self.token_norm, self.emotion_norm, self.motion_norm = (nn.LayerNorm(size) for _ in range(3))
        self.query = nn.Linear(size, inner, bias=bias)
        # The halves of the key and value matrices over [e ; m]. Keys have no bias: it would shift all logits equally.
        self.emotion_key = nn.Linear(size, inner, bias=False)
        self.motion_key = nn.Linear(size, inner, bias=False)
        self.emotion_value = nn.Linear(size, inner, bias=False)
        self.motion_value = nn.Linear(size, inner, bias=bias)
        self.out = nn.Linear(inner, size)

    def forward(
        self,
        tokens: Tensor,
        emotion: Tensor,
        motion: Tensor,
        emotion_mask: Tensor | None = None,
        motion_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend to all pairs of frames.

        Args:
            tokens: (B, n, C) the queries.
            emotion: (B, Fe, C) emotion stream.
            motion: (B, Fm, C) motion stream.
            emotion_mask: (B, Fe) true on valid frames.
            motion_mask: (B, Fm) true on valid frames.

        Returns:
            (B, n, C) update to be added to the tokens.
        """
        emotion, motion = self.emotion_norm(emotion), self.motion_norm(motion)
        query = split_heads(self.query(self.token_norm(tokens)), self.heads)

        def attend(key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
            key, value = split_heads(key, self.heads), split_heads(value, self.heads)
            allowed = None if mask is None else mask[:, None, None, :]
            return F.scaled_dot_product_attention(query, key, value, attn_mask=allowed, scale=self.scale)

        attended = attend(self.emotion_key(emotion), self.emotion_value(emotion), emotion_mask) + attend(
            self.motion_key(motion), self.motion_value(motion), motion_mask
        )
        result: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return result


def _mean_of_streams(tokens: Tensor, after_emotion: Tensor, after_motion: Tensor) -> Tensor:
    """Continue with the mean of the tokens (B, n, C) as they left the layers of both streams."""
    return (after_emotion + after_motion) / 2


def _discard(tokens: Tensor, after_emotion: Tensor, after_motion: Tensor) -> Tensor:
    """Continue with the tokens (B, n, C) as they were before the layers of the streams."""
    return tokens


FUSION_UPDATES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mean": _mean_of_streams,
    "discarded": _discard,
}
"""What a block continues with, by `LSFConfig.fusion_update`."""


class FusionBlock(nn.Module):
    """One block of the fusion."""

    def __init__(self, config: LSFConfig):
        super().__init__()
        size, heads = config.width, config.heads
        self.emotion_layer = TransformerLayer(size, heads, config.mlp, config.dropout)
        self.motion_layer = TransformerLayer(size, heads, config.mlp, config.dropout)
        self.update = FUSION_UPDATES[config.fusion_update]
        self.pairs = PairAttention(size, heads, config.pair_scale, config.pair_bias)
        self.mlp = pre_norm_mlp(size, config.mlp, config.dropout)

    def forward(
        self, tokens: Tensor, emotion: Tensor, motion: Tensor, mask: Tensor | None, allowed: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Update tokens and streams.

        Args:
            tokens: (B, n, C).
            emotion: (B, F, C) emotion stream.
            motion: (B, F, C) motion stream; or (b, F, C) if it and the tokens are the same again after every b rows.
            mask: (B, F) true on valid frames.
            allowed: Mask of the self-attention over tokens and frames, see `layers.attention_mask`.

        Returns:
            Tokens, emotion stream and motion stream, of B rows each.
        """
        n, different = tokens.shape[1], len(motion)
        emotion = self.emotion_layer(torch.cat((tokens, emotion), 1), allowed)
        motion = self.motion_layer(
            torch.cat((tokens[:different], motion), 1), None if allowed is None else allowed[:different]
        ).repeat(len(emotion) // different, 1, 1)
        tokens = self.update(tokens, emotion[:, :n], motion[:, :n])
        emotion, motion = emotion[:, n:], motion[:, n:]
        tokens = tokens + self.pairs(tokens, emotion, motion, mask, mask)
        return tokens + self.mlp(tokens), emotion, motion


class HIFB(nn.Module):
    """All fusion blocks.

    The last block has a motion layer only: its output is the result, and nothing would use the others.
    """

    def __init__(self, config: LSFConfig):
        super().__init__()
        size = config.width
        self.tokens = nn.Parameter(nn.init.normal_(torch.empty(1, config.fusion_tokens, size), std=0.02))
        self.blocks = nn.ModuleList(FusionBlock(config) for _ in range(config.fusion_blocks - 1))
        self.last = TransformerLayer(size, config.heads, config.mlp, config.dropout)
        self.span = config.fusion_span

    def forward(self, emotion: Tensor, motion: Tensor, mask: Tensor | None = None) -> Tensor:
        """Fuse two streams.

        Args:
            emotion: (n · B, F, C) emotion stream: n for each clip, first one of each clip.
            motion: (B, F, C) motion stream.
            mask: (n · B, F) true on valid frames.

        Returns:
            (n · B, F, C).
        """
        if self.training:  # each has its own dropout
            motion = motion.repeat(len(emotion) // len(motion), 1, 1)
        tokens = self.tokens.expand(len(emotion), -1, -1)
        n = tokens.shape[1]
        allowed = attention_mask(mask, motion.shape[1], self.span, n, motion.device)
        for block in self.blocks:
            tokens, emotion, motion = block(tokens, emotion, motion, mask, allowed)
        fused: Tensor = self.last(torch.cat((tokens, motion), 1), allowed)[:, n:]
        return fused
