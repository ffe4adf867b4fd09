"""Hierarchical interaction fusion blocks: learned tokens carry what speech's emotion and its motion tell each other.

LSF-Animation (arXiv 2510.21864): in every block the tokens travel through one transformer layer with each stream, then
attend to all pairs [e_i ; m_j] of an emotion frame and a motion frame, and go on into the next block.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import TransformerLayer, attention_mask, pre_norm_mlp, split_heads


class PairAttention(nn.Module):
    """Tokens attend to the Cartesian product of two streams, in linear time and exactly.

    Key and value of a pair are linear in [e_i ; m_j], so a pair's logit is s_i + t_j. The softmax of such a sum over
    all pairs is softmax(s) ⊗ softmax(t), whose marginals are the two softmaxes; and as the value is a sum too, the
    whole is the sum of two ordinary cross-attentions: O(Fe + Fm) instead of O(Fe · Fm).
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        inner = size // 4
        self.heads = heads
        self.token_norm, self.emotion_norm, self.motion_norm = (nn.LayerNorm(size) for _ in range(3))
        self.query = nn.Linear(size, inner)
        # The two halves of the key's and value's matrix over [e ; m]. A bias on the key would shift all logits alike.
        self.emotion_key = nn.Linear(size, inner, bias=False)
        self.motion_key = nn.Linear(size, inner, bias=False)
        self.emotion_value = nn.Linear(size, inner, bias=False)
        self.motion_value = nn.Linear(size, inner)
        self.out = nn.Linear(inner, size)

    def forward(
        self,
        tokens: Tensor,
        emotion: Tensor,
        motion: Tensor,
        emotion_mask: Tensor | None = None,
        motion_mask: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, n, C), emotion (B, Fe, C), motion (B, Fm, C), masks (B, Fe), (B, Fm) -> (B, n, C)"""
        emotion, motion = self.emotion_norm(emotion), self.motion_norm(motion)
        q = split_heads(self.query(self.token_norm(tokens)), self.heads)

        def attend(key, value, mask):
            key, value = split_heads(key, self.heads), split_heads(value, self.heads)
            allowed = None if mask is None else mask[:, None, None, :]
            return F.scaled_dot_product_attention(q, key, value, attn_mask=allowed)

        heard = attend(self.emotion_key(emotion), self.emotion_value(emotion), emotion_mask) + attend(
            self.motion_key(motion), self.motion_value(motion), motion_mask
        )
        return self.out(heard.transpose(1, 2).flatten(2))


class FusionBlock(nn.Module):
    """One block. (tokens, emotion, motion) -> the same three, updated."""

    def __init__(self, size: int, heads: int, mlp: int, dropout: float):
        super().__init__()
        self.emotion_layer = TransformerLayer(size, heads, mlp, dropout)
        self.motion_layer = TransformerLayer(size, heads, mlp, dropout)
        self.pairs = PairAttention(size, heads)
        self.mlp = pre_norm_mlp(size, mlp, dropout)

    def forward(self, tokens: Tensor, emotion: Tensor, motion: Tensor, mask: Tensor | None, allowed: Tensor | None):
        n = tokens.shape[1]
        emotion = self.emotion_layer(torch.cat((tokens, emotion), 1), allowed)
        motion = self.motion_layer(torch.cat((tokens, motion), 1), allowed)
        tokens = (emotion[:, :n] + motion[:, :n]) / 2
        emotion, motion = emotion[:, n:], motion[:, n:]
        tokens = tokens + self.pairs(tokens, emotion, motion, mask, mask)
        return tokens + self.mlp(tokens), emotion, motion


class HIFB(nn.Module):
    """All blocks: emotion and motion streams (B, F, C) -> fused motion stream (B, F, C).

    Of the last block only the motion layer is kept: its output is the result, and nothing reads the rest any more.
    """

    def __init__(self, size: int, heads: int, mlp: int, blocks: int, tokens: int, span: int, dropout: float):
        super().__init__()
        self.tokens = nn.Parameter(0.02 * torch.randn(1, tokens, size))
        self.blocks = nn.ModuleList(FusionBlock(size, heads, mlp, dropout) for _ in range(blocks - 1))
        self.last = TransformerLayer(size, heads, mlp, dropout)
        self.span = span

    def forward(self, emotion: Tensor, motion: Tensor, mask: Tensor | None = None) -> Tensor:
        tokens = self.tokens.expand(len(motion), -1, -1)
        n = tokens.shape[1]
        allowed = attention_mask(mask, motion.shape[1], self.span, n, motion.device)
        for block in self.blocks:
            tokens, emotion, motion = block(tokens, emotion, motion, mask, allowed)
        return self.last(torch.cat((tokens, motion), 1), allowed)[:, n:]
