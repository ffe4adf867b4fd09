"""Attention to all pairs of frames as the paper writes it, to compare `server.model.hifb.PairAttention` with.

Every pair [e_i ; m_j] of an emotion frame and a motion frame is built, and has a key and a value of its own. The model
computes the same from the two streams apart; docs/fusion_study.md has the proof. Time and memory grow with the square
of the frames here, so this is for the study only.

B clips, n tokens, Fe and Fm frames of the two streams, C channels, H heads.
"""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...model.hifb import PairAttention
from ...model.layers import split_heads


def all_pairs(emotion: Tensor, motion: Tensor) -> Tensor:
    """Return the Cartesian product (B, Fe · Fm, 2C) of emotion frames (B, Fe, C) and motion frames (B, Fm, C)."""
    emotion_frames, motion_frames = emotion.shape[1], motion.shape[1]
    return torch.cat(
        (
            emotion[:, :, None].expand(-1, -1, motion_frames, -1),
            motion[:, None].expand(-1, emotion_frames, -1, -1),
        ),
        -1,
    ).flatten(1, 2)


def attend_literally(
    attention: PairAttention,
    tokens: Tensor,
    emotion: Tensor,
    motion: Tensor,
    emotion_mask: Tensor | None = None,
    motion_mask: Tensor | None = None,
    *,
    rows: int | None = None,
) -> Tensor:
    """Attend to all pairs with the weights of `attention`, pair by pair.

    Args:
        attention: The module whose weights are used.
        tokens: (B, n, C) the queries.
        emotion: (B, Fe, C) emotion stream.
        motion: (B, Fm, C) motion stream.
        emotion_mask: (B, Fe) true on valid frames.
        motion_mask: (B, Fm) true on valid frames.
        rows: Emotion frames whose pairs are built at once, the softmax being summed up over these parts. They are built
            again for the gradient. None builds all pairs at once.

    Returns:
        (B, n, C) update to be added to the tokens, as of `PairAttention.forward`.
    """
    query = split_heads(attention.query(attention.token_norm(tokens)), attention.heads) * attention.scale
    emotion, motion = attention.emotion_norm(emotion), attention.motion_norm(motion)
    if emotion_mask is None:
        emotion_mask = torch.ones(emotion.shape[:2], dtype=torch.bool, device=emotion.device)
    if motion_mask is None:
        motion_mask = torch.ones(motion.shape[:2], dtype=torch.bool, device=motion.device)
    if rows is None:
        _, weight, total = _part(attention, query, emotion, motion, emotion_mask, motion_mask)
    else:
        parts = [
            checkpoint(_part, attention, query, part, motion, mask, motion_mask, use_reentrant=False)
            for part, mask in zip(emotion.split(rows, 1), emotion_mask.split(rows, 1), strict=True)
        ]
        greatest = torch.stack([greatest for greatest, _, _ in parts]).amax(0)
        weight = sum((weight * (own - greatest).exp() for own, weight, _ in parts), torch.zeros_like(greatest))
        total = sum((total * (own - greatest).exp() for own, _, total in parts), torch.zeros_like(query))
    result: Tensor = attention.out((total / weight).transpose(1, 2).flatten(2))
    return result


def _part(
    attention: PairAttention, query: Tensor, emotion: Tensor, motion: Tensor, emotion_mask: Tensor, motion_mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum up the softmax over the pairs of some emotion frames with all motion frames.

    Args:
        attention: The module whose weights are used.
        query: (B, H, n, D) scaled queries.
        emotion: (B, Fe, C) normalised emotion frames.
        motion: (B, Fm, C) normalised motion frames.
        emotion_mask: (B, Fe).
        motion_mask: (B, Fm).

    Returns:
        The greatest logit m (B, H, n, 1), Σ exp(logit − m) (B, H, n, 1) and Σ exp(logit − m) · value (B, H, n, D).
    """
    pairs = all_pairs(emotion, motion)
    valid = (emotion_mask[:, :, None] & motion_mask[:, None]).flatten(1)[:, None, None]
    key = pairs @ torch.cat((attention.emotion_key.weight, attention.motion_key.weight), 1).T
    value = pairs @ torch.cat((attention.emotion_value.weight, attention.motion_value.weight), 1).T
    if attention.motion_value.bias is not None:
        value = value + attention.motion_value.bias
    logits = query @ split_heads(key, attention.heads).mT
    logits = logits.masked_fill(~valid, torch.finfo(logits.dtype).min)
    greatest = logits.detach().amax(-1, keepdim=True)
    weights = (logits - greatest).exp() * valid
    return greatest, weights.sum(-1, keepdim=True), weights @ split_heads(value, attention.heads)
