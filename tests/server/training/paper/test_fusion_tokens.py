"""Maps of the fusion tokens' attention, and what is left if something is taken from them."""

import dataclasses

import pytest
import torch

from server.model import LSF, LSFConfig
from server.training.paper import fusion_tokens
from tests.server.training.paper.examples import random_example
from tests.server.training.paper.tiny import tiny


@pytest.fixture(scope="module", params=["paper", "released"])
def model(request):
    torch.manual_seed(0)
    config = dataclasses.replace(tiny(getattr(LSFConfig, request.param)()), fusion_blocks=3)
    model = LSF(config).eval().requires_grad_(False)
    for block in fusion_tokens.fusion_blocks(model):  # sharper than those of an untrained model
        block.pairs.query.weight *= 8
    return model


def test_the_maps_are_the_attention_that_the_model_computes(model):
    example, given = random_example(1), []
    blocks = fusion_tokens.fusion_blocks(model)
    hooks = [block.pairs.register_forward_hook(lambda module, x, result: given.append((x, result))) for block in blocks]
    maps = fusion_tokens.attention_maps(model, example)
    for hook in hooks:
        hook.remove()
    assert len(maps) == 2
    for block, own, (x, result) in zip(blocks, maps, given, strict=True):
        pairs, (_, emotion, motion) = block.pairs, x[:3]
        assert own.emotion.shape == (4, 4, 24) and own.emotion.sum(-1).allclose(torch.ones(4, 4))
        values = (
            layer(norm(stream)).unflatten(-1, (4, -1)).transpose(1, 2)
            for layer, norm, stream in (
                (pairs.emotion_value, pairs.emotion_norm, emotion),
                (pairs.motion_value, pairs.motion_norm, motion),
            )
        )
        attended = sum(weights @ value for weights, value in zip((own.emotion, own.motion), values, strict=True))
        torch.testing.assert_close(pairs.out(attended.transpose(1, 2).flatten(2)), result, rtol=1e-4, atol=1e-5)


def test_measures_by_hand():
    even, single = torch.full((1, 1, 4), 0.25), torch.tensor([[[0.0, 1, 0, 0]]])
    assert fusion_tokens.evenness(even).item() == pytest.approx(1) and fusion_tokens.evenness(single).item() == 0
    tokens = torch.tensor([[[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]])  # distances 0.5, 1, 1
    assert fusion_tokens.overlap_distance(tokens, 1) == pytest.approx(2.5 / 3)
    assert fusion_tokens.overlap_distance(tokens.transpose(0, 1), 0) == pytest.approx(2.5 / 3)
    rising = torch.tensor([[[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]])
    assert fusion_tokens.correlation(rising, torch.arange(4.0)) == pytest.approx(1)


def test_share_of_even_attention_is_one(model):
    layer = fusion_tokens.fusion_blocks(model)[0].motion_layer
    kept = layer.qkv.weight.clone()
    try:
        layer.qkv.weight[:32] = 0  # no queries: attention is even
        layer.qkv.bias.zero_()
        assert fusion_tokens.attention_maps(model, random_example(1))[0].shares[1] == pytest.approx(1, rel=1e-5)
    finally:
        layer.qkv.weight.copy_(kept)


def test_without_tokens_the_streams_do_not_meet(model):
    one, other = random_example(1), random_example(2)
    with fusion_tokens.without_tokens(model):
        alone = fusion_tokens.run(model, one)
        with_another = fusion_tokens.run(model, dataclasses.replace(one, emotion=other.emotion))
    assert torch.equal(alone.z, with_another.z)
    both = [fusion_tokens.run(model, dataclasses.replace(one, emotion=x.emotion)).z for x in (one, other)]
    assert not torch.allclose(*both), "and with them they do"


def test_own_tokens_change_nothing_and_those_of_another_clip_do(model):
    one, other = random_example(1), random_example(2)
    plain = fusion_tokens.run(model, one).z
    own = [maps.tokens[None] for maps in fusion_tokens.attention_maps(model, one)]
    with fusion_tokens.changed_tokens(model, lambda number, tokens: own[number]):
        torch.testing.assert_close(fusion_tokens.run(model, one).z, plain)
    changed = fusion_tokens.changed_run(model, one, other, "tokens of another clip").z
    assert (changed - plain).abs().max() > 1e-4
    assert torch.equal(fusion_tokens.run(model, one).z, plain), "nothing stays behind"


def test_partners_have_another_emotion_and_subject():
    clips = [random_example(i, subject=s, emotion=e) for i, (s, e) in enumerate([("A", "0"), ("A", "1"), ("B", "1")])]
    found = fusion_tokens.partners(clips)
    assert [other.clip.name for other in found] == [clips[2].clip.name, clips[0].clip.name, clips[0].clip.name]


def test_every_change_is_measured(model):
    clips = [random_example(i, frames=20 + i, subject=f"M00{i}", emotion=str(i)) for i in range(3)]
    effects = fusion_tokens.measure_changes(model, clips)
    assert list(effects) == list(fusion_tokens.CHANGES)
    # The tokens of a clip differ little from their mean before training.
    assert all(effect.latent_change > 0 for name, effect in effects.items() if name != "identity of another clip")
    with pytest.raises(ValueError, match="no change"):
        fusion_tokens.changed_run(model, clips[0], clips[1], "something else")


def test_measures_are_means_over_clips(model):
    clips = [random_example(i) for i in range(2)]
    both, single = fusion_tokens.mean_measures(model, clips), fusion_tokens.mean_measures(model, clips[:1])
    assert len(both) == 2 and len(both[0]) == len(fusion_tokens.MEASURES)
    second = fusion_tokens.mean_measures(model, clips[1:])
    assert both[0][0] == pytest.approx((single[0][0] + second[0][0]) / 2)
