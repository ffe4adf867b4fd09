"""The literal attention to all pairs against numbers worked by hand."""

import math

import pytest
import torch

from server.model.hifb import PairAttention
from server.training.paper.cartesian import all_pairs, attend_literally


def test_pairs_are_every_emotion_frame_beside_every_motion_frame():
    emotion, motion = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[10.0], [20.0], [30.0]]])
    assert all_pairs(emotion, motion).tolist() == [[[1, 10], [1, 20], [1, 30], [2, 10], [2, 20], [2, 30]]]


def simple():
    """One head of width 1 that adds the first channels: key = e₀ + m₀, value = e₁ + 2 m₁ + 3, query = 1."""
    attention = PairAttention(4, 1)
    for norm in (attention.token_norm, attention.emotion_norm, attention.motion_norm):
        norm.forward = lambda x: x
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.query.bias.fill_(1)
        attention.emotion_key.weight[0, 0] = attention.motion_key.weight[0, 0] = 1
        attention.emotion_value.weight[0, 1], attention.motion_value.weight[0, 1] = 1, 2
        attention.motion_value.bias.fill_(3)
        attention.out.weight[0, 0] = 1
    return attention


def test_weights_and_values_by_hand():
    log2, log3 = math.log(2), math.log(3)
    emotion = torch.tensor([[[0, 1, 0, 0], [log2, 5, 0, 0]]], dtype=torch.float32)
    motion = torch.tensor([[[log3, 10, 0, 0], [0, 20, 0, 0]]], dtype=torch.float32)
    # exp(logits): 3 1 6 2, of 12; values: 1 + 20 + 3, 1 + 40 + 3, 5 + 20 + 3, 5 + 40 + 3
    truth = (3 * 24 + 1 * 44 + 6 * 28 + 2 * 48) / 12
    result = attend_literally(simple(), torch.zeros(1, 1, 4), emotion, motion)
    assert result[0, 0].tolist() == pytest.approx([truth, 0, 0, 0], rel=1e-6)


def test_masked_frames_take_no_part_also_if_a_part_has_none_that_is_valid():
    torch.manual_seed(0)
    attention, tokens = PairAttention(8, 2).double(), torch.randn(1, 3, 8).double()
    emotion, motion = torch.randn(1, 6, 8).double(), torch.randn(1, 5, 8).double()
    short = attend_literally(attention, tokens, emotion[:, :3], motion[:, :4])
    masks = torch.arange(6)[None] < 3, torch.arange(5)[None] < 4
    for rows in (None, 1, 2, 4):
        masked = attend_literally(attention, tokens, emotion, motion, *masks, rows=rows)
        torch.testing.assert_close(masked, short, rtol=1e-12, atol=1e-12)
