"""Draws belong to clips: padding, neighbours and processes do not change them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from server.training.paper.draws import ClipDraws

CPU = torch.device("cpu")


def test_a_clip_draws_the_same_alone_and_padded_beside_others():
    x = torch.ones(3, 20, 8)
    with ClipDraws([5, 7, 1 << 60], CPU):
        together = F.dropout(x, 0.3), torch.rand(3, 4), torch.randint(9, (3, 1)), torch.randn_like(x)
    with ClipDraws([7], CPU):
        alone = F.dropout(x[1:2, :11], 0.3), torch.rand(1, 4), torch.randint(0, 9, (1, 1)), torch.randn(1, 11, 8)
    for many, one in zip(together, alone, strict=True):
        assert torch.equal(many[1:2, : one.shape[1]], one)


def test_clips_calls_places_and_seeds_differ():
    x = torch.ones(2, 50, 50)
    with ClipDraws([1, 2], CPU):
        first, second = F.dropout(x), F.dropout(x)
    with ClipDraws([1 + (1 << 40), 2], CPU):
        other = F.dropout(x)
    assert len({tuple((t > 0).flatten().tolist()) for t in (first[0], first[1], second[0], other[0])}) == 4
    assert torch.equal(other[1], first[1]), "the same clip draws the same beside another"
    assert len(torch.unique(first[0], dim=0)) == 50 and len(torch.unique(first[0], dim=1)) == 50


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_share_and_the_mean(p):
    x = torch.ones(2, 400, 500)
    with ClipDraws([3, 4], CPU):
        y = nn.Dropout(p)(x)
    kept = (y > 0).double().mean()
    error = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(kept - (1 - p)) < 5 * error
    torch.testing.assert_close(y[y > 0].unique(), torch.tensor([1 / (1 - p)]))


def test_uniform_and_normal_numbers_have_their_moments():
    with ClipDraws(range(1000, 1010), CPU):
        uniform, normal, integers = torch.rand(10, 50_000), torch.randn(10, 50_000), torch.randint(-3, 4, (10, 50_000))
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.002 and abs(uniform.var() - 1 / 12) < 0.001
    assert abs(normal.mean()) < 0.007 and abs(normal.std() - 1) < 0.005 and abs(normal.pow(3).mean()) < 0.02
    assert integers.min() == -3 and integers.max() == 3 and abs(integers.double().mean()) < 0.02
    neighbours = torch.corrcoef(torch.stack((uniform[:, 1:].flatten(), uniform[:, :-1].flatten())))[0, 1]
    clips = torch.corrcoef(uniform) - torch.eye(10)
    assert abs(neighbours) < 0.007 and clips.abs().max() < 0.03


def test_attention_with_dropout_is_attention_whose_weights_are_dropped():
    q, k, v = torch.randn(3, 2, 2, 6, 4)
    allowed = torch.rand(2, 1, 6, 6) < 0.7
    allowed |= torch.eye(6, dtype=torch.bool)
    with ClipDraws([1, 2], CPU):
        dropped = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=0.4)
    with ClipDraws([1, 2], CPU) as draws:
        weights = (q @ k.mT / 2).masked_fill(~allowed, -torch.inf).softmax(-1)
        expected = draws.kept(weights, 0.4) @ v
    torch.testing.assert_close(dropped, expected)
    with ClipDraws([1, 2], CPU):
        plain = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    torch.testing.assert_close(plain, F.scaled_dot_product_attention(q, k, v, attn_mask=allowed))


def test_nothing_is_dropped_in_inference_and_gradients_pass_where_values_do():
    x = torch.ones(2, 30, requires_grad=True)
    with ClipDraws([1, 2], CPU):
        assert F.dropout(x, 0.5, training=False) is x
        y = F.dropout(x, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_what_cannot_be_drawn_for_each_clip_is_refused():
    with ClipDraws([1, 2], CPU):
        with pytest.raises(ValueError, match="clips must come first"):
            torch.rand(3, 5)
        with pytest.raises(NotImplementedError, match="randperm"):
            torch.randperm(5)
        own = torch.Generator().manual_seed(1)
        assert torch.randperm(5, generator=own).shape == torch.rand(5, generator=own).shape
