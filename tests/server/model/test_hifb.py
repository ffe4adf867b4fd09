"""The factorised cross-attention against the literal one over all pairs, which lives here as the reference."""

import pytest
import torch

from server.model import LSFConfig
from server.model.hifb import HIFB, PairAttention
from server.model.layers import split_heads


def cartesian(layer: PairAttention, scale, tokens, emotion, motion, emotion_mask=None, motion_mask=None):
    """Keys and values of every pair [e_i ; m_j] by one matrix each, then plain softmax attention over the pairs."""
    b, fe, c = emotion.shape
    fm = motion.shape[1]
    e, m = layer.emotion_norm(emotion), layer.motion_norm(motion)
    pairs = torch.cat((e[:, :, None].expand(b, fe, fm, c), m[:, None].expand(b, fe, fm, c)), -1).flatten(1, 2)
    key = pairs @ torch.cat((layer.emotion_key.weight, layer.motion_key.weight), 1).T
    value = pairs @ torch.cat((layer.emotion_value.weight, layer.motion_value.weight), 1).T
    if layer.motion_value.bias is not None:
        value = value + layer.motion_value.bias
    q = split_heads(layer.query(layer.token_norm(tokens)), layer.heads)
    k, v = split_heads(key, layer.heads), split_heads(value, layer.heads)
    logits = q @ k.transpose(-1, -2) * scale
    if emotion_mask is not None:
        own = (emotion_mask[:, :, None] & motion_mask[:, None, :]).reshape(b, 1, 1, fe * fm)
        logits = logits.masked_fill(~own, float("-inf"))
    return layer.out((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))


def fusion(**changes) -> HIFB:
    return HIFB(LSFConfig(**{"width": 32, "heads": 4, "mlp": 48, "dropout": 0.0, **changes})).eval()


def lengths_to_mask(lengths, frames):
    return torch.arange(frames)[None] < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize(
    ("fe", "fm", "lengths"),
    [
        (1, 1, None),
        (7, 7, None),
        (40, 23, None),
        (5, 64, None),
        (12, 12, ((12, 5, 1), (12, 5, 1))),
        (30, 17, ((30, 1, 9), (2, 17, 17))),
    ],
)
@pytest.mark.parametrize(
    ("options", "scale"),
    [({}, 1 / 2), ({"scale": "width", "bias": False}, 1 / 8)],  # heads of 4 channels; width 64
)
def test_equals_the_cartesian_product_forward_and_backward(fe, fm, lengths, options, scale):
    torch.manual_seed(fe)
    layer = PairAttention(64, 4, **options)
    assert (layer.query.bias is None) == (layer.motion_value.bias is None) == ("bias" in options)
    for weight in layer.parameters():
        weight.data = torch.randn_like(weight) * 0.3  # sharp attention, every bias at work
    inputs = [torch.randn(3, 4, 64), torch.randn(3, fe, 64), torch.randn(3, fm, 64)]
    masks = () if lengths is None else (lengths_to_mask(lengths[0], fe), lengths_to_mask(lengths[1], fm))
    upstream = torch.randn(3, 4, 64)
    results = []
    for form in (layer, lambda *args: cartesian(layer, scale, *args)):
        layer.zero_grad()
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = form(*leaves, *masks)
        (out * upstream).sum().backward()
        results.append([out] + [x.grad for x in leaves] + [weight.grad for weight in layer.parameters()])
    for fast, literal in zip(*results, strict=True):
        scale = literal.abs().max().clamp_min(1.0)
        assert (fast - literal).abs().max() / scale < 1e-5


def test_tokens_carry_emotion_into_the_motion_stream():
    torch.manual_seed(0)
    hifb = fusion()
    motion, emotion = torch.randn(1, 10, 32), torch.randn(1, 10, 32)
    assert hifb(emotion, motion).shape == (1, 10, 32)
    assert (hifb(emotion, motion) - hifb(emotion + 1.0 * torch.randn(1, 1, 32), motion)).abs().max() > 1e-4


@pytest.mark.parametrize("span", [0, 3])
def test_padding_changes_nothing(span):
    torch.manual_seed(0)
    hifb = fusion(fusion_blocks=3, fusion_span=span)
    emotion, motion = torch.randn(2, 12, 32), torch.randn(2, 12, 32)
    together = hifb(emotion, motion, lengths_to_mask((12, 5), 12))
    torch.testing.assert_close(together[:1], hifb(emotion[:1], motion[:1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(together[1:, :5], hifb(emotion[1:, :5], motion[1:, :5]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("train", [False, True])
def test_several_emotion_streams_of_a_clip_share_its_motion_stream(train):
    torch.manual_seed(0)
    hifb = fusion(fusion_blocks=3).train(train)  # without dropout
    emotion, motion = torch.randn(6, 12, 32), torch.randn(2, 12, 32)
    mask = lengths_to_mask((12, 5), 12).repeat(3, 1)
    shared = hifb(emotion, motion, mask)
    torch.testing.assert_close(shared, hifb(emotion, motion.repeat(3, 1, 1), mask), atol=1e-5, rtol=0)
