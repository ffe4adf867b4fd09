"""Switching off parts of a model, on a tiny one with random weights."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from server.model import LSF, BackboneConfig, LSFConfig, synthesize
from server.training.evaluation import ablation
from server.training.evaluation.spread import Spread

TINY = LSFConfig(
    channels=("jawOpen", "mouthClose", "browInnerUp"),
    motion_backbone=BackboneConfig(hidden=32, heads=4, mlp=64, mels=20, positions=500),
    motion_layers=(1, 2),
    emotion_layers=(2,),
    motion_components=16,
    emotion_components=0,
    emotion_bank=False,
    identity_size=6,
    identity_styles=5,
    width=32,
    mlp=48,
    heads=4,
    direct_width=16,
    emotions=4,
    codes=16,
    code_size=8,
    prior_width=24,
    prior_mlp=32,
    prior_heads=2,
    prior_span=6,
)
STREAMS = {"emotion": 0, "motion": 1}


@pytest.fixture
def model():
    """A model whose gate is open, so that all its parts count."""
    torch.manual_seed(0)
    made = LSF(TINY).eval()
    made.residual_gate.data.fill_(1.0)
    made.sie_encoder.identity.project[0].weight.data.normal_(1.0, 0.5)
    made.sie_encoder.identity.project[1].weight.data.normal_(1.0, 0.5)
    return made


def latent(model, first=0):
    generator = torch.Generator().manual_seed(7)
    features = [torch.randn(1, 40, size, generator=generator) for size in (64, 32)]
    with torch.inference_mode():
        return model(*features, first=first)


def switches():
    changes = {"mean": ablation.over_time, "noise": ablation.noise_like}
    streams = {
        f"{stream} {name}": partial(ablation.changed_stream, index=index, change=change)
        for stream, index in STREAMS.items()
        for name, change in changes.items()
    }
    return streams | {
        "hifb": ablation.without_hifb,
        "identity": ablation.random_identity,
        "codes": ablation.without_quantiser,
        "direct": ablation.direct_path_alone,
        "linear": partial(ablation.only_branch, kind="linear"),
        "conv": partial(ablation.only_branch, kind="conv"),
    }


@pytest.mark.parametrize("name", list(switches()))
def test_a_switch_changes_the_curves_while_it_is_on_and_leaves_the_model_as_it_was(model, name):
    before, state = latent(model), {k: v.clone() for k, v in model.state_dict().items()}
    with switches()[name](model):
        during = latent(model)
    # The coarse codes of a random model may swallow a change of the latent, and only `codes` leaves the latent alone.
    change = [
        (a - b).abs().max() for a, b in ((during.z, before.z), (during.quantised.latent, before.quantised.latent))
    ]
    assert max(change) > 1e-4
    after = model.state_dict()
    assert torch.equal(latent(model).standardised, before.standardised)
    assert after.keys() == state.keys() and all(torch.equal(after[k], v) for k, v in state.items())


def test_a_switch_is_undone_after_an_error(model):
    before = latent(model).standardised
    for switch in switches().values():
        with pytest.raises(RuntimeError), switch(model):
            raise RuntimeError
    assert torch.equal(latent(model).standardised, before)


def test_without_hifb_is_a_closed_gate(model):
    with ablation.without_hifb(model):
        off = latent(model).z
    model.residual_gate.data.fill_(0.0)
    torch.testing.assert_close(latent(model).z, off)


def test_a_closed_gate_makes_the_streams_mean_nothing(model):
    model.residual_gate.data.fill_(0.0)
    before = latent(model).z
    for index in STREAMS.values():
        with ablation.changed_stream(model, index, ablation.noise_like):
            assert torch.equal(latent(model).z, before)


def test_streams_keep_their_statistics():
    stream = 3 + 2 * torch.randn(1, 4000, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ablation.over_time(stream)[:, 0], stream.mean(1))
    noise = ablation.noise_like(stream)
    assert not torch.equal(noise, stream) and torch.equal(noise, ablation.noise_like(stream))
    torch.testing.assert_close(noise.mean(1), stream.mean(1), atol=0.2, rtol=0)
    torch.testing.assert_close(noise.std(1), stream.std(1), atol=0.2, rtol=0)


def test_bypassed_codes_decode_the_latent_itself(model):
    with ablation.without_quantiser(model):
        output = latent(model)
    assert torch.equal(output.quantised.latent, output.z)
    assert not torch.equal(latent(model).quantised.latent, output.z)


def test_the_branches_alone_have_the_direct_path_as_their_mean(model):
    parts = []
    for kind in TINY.direct_path:
        with ablation.only_branch(model, kind):
            parts.append(latent(model).z)
    with ablation.without_hifb(model):
        torch.testing.assert_close((parts[0] + parts[1]) / 2, latent(model).z)


def test_a_clip_is_encoded_once_for_all_variants(model):
    audio = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    expected, other = synthesize(model, audio).curves, synthesize(model, audio[::-1]).curves
    calls = []
    model.motion_backbone.register_forward_hook(lambda *_: calls.append(1))
    with ablation.encoded_once(model):
        np.testing.assert_array_equal(synthesize(model, audio).curves, expected)
        np.testing.assert_array_equal(synthesize(model, audio).curves, expected)
        assert len(calls) == 1
        np.testing.assert_array_equal(synthesize(model, audio[::-1]).curves, other)
        assert len(calls) == 2


def test_after_the_block_the_model_encodes_again(model):
    audio = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    with ablation.encoded_once(model):
        model.encode_audio(audio)
    assert "encode_audio" not in vars(model) and model.encode_audio(audio)[0].shape[0] == 50


def test_all_variants_run_and_a_model_without_a_direct_path_has_fewer(model):
    rows = ablation.variants(model)
    audio = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    curves = ablation.run_variants(model, rows, audio)
    assert rows[0].name == "as shipped" and len(curves) == len(rows) == len({row.name for row in rows}) == 10
    assert all(c.shape == (25, 3) for c in curves)
    plain = LSF(dataclasses.replace(TINY, direct_path=(), width=16, heads=2)).eval()
    assert {"HIFB off (gate 0)", "direct path alone"}.isdisjoint(row.name for row in ablation.variants(plain))


def test_a_change_is_that_of_the_curve_that_differs_most():
    whole, changed = np.zeros((4, 3)), np.zeros((4, 3))
    changed[1, 2], changed[2, 0], changed[2, 1] = 0.4, 0.2, -0.1
    columns = ablation.change_columns([whole, whole], [changed, whole])
    assert columns["largest change"] == 0.4
    assert columns["mean change"].value == pytest.approx((0.4 + 0.2) / 4 / 2)


def test_the_table_has_a_row_for_every_variant():
    rows = {"as shipped": (Spread(0.95, 0.9, 0.98, 40), 0.0), "off": (Spread(0.5, 0, 1, 40), 3e-7)}
    table = {name: dict(zip(("r", "change"), figures, strict=True)) for name, figures in rows.items()}
    assert ablation.as_text(table).splitlines() == [
        "|  | r | change |",
        "|---|---|---|",
        "| as shipped | 0.950 (0.90–0.98) | 0 |",
        "| off | 0.500 (0.00–1.00) | 3e-07 |",
    ]
