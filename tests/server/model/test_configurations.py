"""What the switches between `default`, `paper` and `released` do, one by one; and that all are exact in batches."""

import copy
import dataclasses
import threading

import numpy as np
import pytest
import torch

from server.errors import Cancelled
from server.model import LSF, LSFConfig, synthesize
from server.model.hifb import FusionBlock
from server.model.losses import predictor_loss, prior_loss
from server.model.motion_prior import (
    AveragedQuantiser,
    ChannelLayout,
    FrameLayout,
    MotionPrior,
    Ranks,
    TrainedQuantiser,
)
from server.model.sie_encoder import SIEEncoder

from ..training.paper.tiny import tiny
from .conftest import TINY

CONFIGS = {
    "default": TINY,
    "paper": tiny(LSFConfig.paper(motion_layers=(1,), emotion_layers=(1,))),
    "released": tiny(LSFConfig.released(motion_layers=(1,), emotion_layers=(1,))),
    "channel, averages": tiny(LSFConfig.paper(code_layout="channel")),
}
LENGTHS = (20, 7, 1)
SMALL = dataclasses.replace(TINY, direct_path=(), width=16, heads=2, dropout=0.0)


def build(name: str) -> LSF:
    """A model in double precision, whose biases and codebook are not what they are at the start."""
    torch.manual_seed(0)
    model = LSF(CONFIGS[name]).double().eval()
    if model.config.direct_path:
        model.residual_gate.data.fill_(1.0)
    with torch.no_grad():
        for weight in [*model.sie_encoder.parameters(), *model.hifb.parameters(), *model.prior.parameters()]:
            weight.add_(0.05 * torch.randn_like(weight))
        model.prior.quantiser.codebook.copy_(torch.randn_like(model.prior.quantiser.codebook))
    return model


def clips(model: LSF, name: str):
    """Features of motion and emotion, identity and true motion of three clips; what is beyond a clip is wild."""
    generator = torch.Generator().manual_seed(1)
    frames = max(LENGTHS)
    sizes = model.motion_norm.mean.numel(), model.emotion_norm.mean.numel()
    motion, emotion = (torch.randn(3, 2 * frames, size, generator=generator).double() for size in sizes)
    truth = torch.rand(3, frames, len(model.config.channels), generator=generator).double()
    for clip, n in enumerate(LENGTHS):
        motion[clip, 2 * n :], emotion[clip, 2 * n :], truth[clip, n:] = 30.0, -20.0, 50.0
    return motion, emotion, torch.randn(3, model.config.identity_size, generator=generator).double(), truth


def total_loss(model: LSF, motion, emotion, identity, truth, mask=None) -> torch.Tensor:
    output = model(motion, emotion, identity, mask)
    return prior_loss(model, truth, mask)["loss"] + predictor_loss(model, output, truth, mask)["loss"]


def gradients(model: LSF) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_of_unlike_clips_equals_one_clip_at_a_time_with_gradients(name):
    model = build(name)
    motion, emotion, identity, truth = clips(model, name)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    together = model(motion, emotion, identity, mask)
    total_loss(model, motion, emotion, identity, truth, mask).backward()
    batch = gradients(model)
    model.zero_grad()
    for clip, n in enumerate(LENGTHS):
        rows = slice(clip, clip + 1)
        own = motion[rows, : 2 * n], emotion[rows, : 2 * n], identity[rows]
        alone = model(*own)
        for field in ("z", "standardised", "motion"):
            torch.testing.assert_close(getattr(together, field)[clip, :n], getattr(alone, field)[0], atol=1e-9, rtol=0)
        assert torch.equal(together.quantised.codes[clip, :n], alone.quantised.codes[0])
        (total_loss(model, *own, truth[rows, :n]) * n / sum(LENGTHS)).backward()
    alone = gradients(model)
    assert batch.keys() == alone.keys()
    for weight, gradient in batch.items():
        torch.testing.assert_close(
            gradient, alone[weight], atol=1e-9, rtol=1e-7, msg=lambda text, weight=weight: f"{weight}: {text}"
        )


@pytest.mark.parametrize("name", ["paper", "released"])
def test_every_parameter_beyond_the_encoders_learns_in_training(name):
    model = build(name).train()
    total_loss(model, *clips(model, name), torch.arange(20)[None] < torch.tensor(LENGTHS)[:, None]).backward()
    still = [n for n, w in model.named_parameters() if "backbone" not in n and (w.grad is None or not w.grad.any())]
    assert not still


@pytest.mark.parametrize("name", CONFIGS)
def test_codes_that_are_right_leave_the_latent_alone_and_wrong_ones_move_it(name):
    """The straight-through sum z + (code − z) is not the code to the last bit, which is no error."""
    model = build(name).float()
    truth = clips(model, name)[3].float()[:1]
    model.prior.quantiser.codebook.data.mul_(0.1)  # small codes, so that the rounding of the sum shows
    coded = model.prior.encode(model.standardise(truth)).detach()
    z = (1.0001 * coded).requires_grad_()
    output = model.decode(z)
    assert torch.equal(output.quantised.codes, model.decode(coded).quantised.codes)
    predictor_loss(model, output, truth)["codes"].backward()
    assert not z.grad.any()
    wrong = (-coded).requires_grad_()
    predictor_loss(model, model.decode(wrong), truth)["codes"].backward()
    assert wrong.grad.any()


@pytest.mark.parametrize("name", ["paper", "released"])
def test_single_precision_in_a_batch_is_right_to_1e_5(name):
    model = build(name).float()
    motion, emotion, identity, _ = (x.float() for x in clips(model, name))
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    z = model(motion, emotion, identity, mask).z
    for clip, n in enumerate(LENGTHS):
        rows = slice(clip, clip + 1)
        alone = model(motion[rows, : 2 * n], emotion[rows, : 2 * n], identity[rows]).z
        torch.testing.assert_close(z[clip, :n], alone[0], atol=1e-5, rtol=1e-5)


# Scale of the motion, length of the features


def test_the_fixed_scale_is_the_released_one_and_data_do_not_change_it():
    model = LSF(CONFIGS["released"])
    model.fit_scaling(torch.randn(50, 53))
    curves = torch.zeros(3, 53)
    curves[0], curves[1] = -3.0, 3.0
    curves[0, 50:], curves[1, 50:], curves[2, 50:] = -0.1, 0.5, 0.2
    scaled = model.standardise(curves)
    torch.testing.assert_close(scaled, torch.tensor([0.0, 1.0, 0.5])[:, None].expand(3, 53))
    torch.testing.assert_close(model.destandardise(scaled), curves)


def test_the_fixed_scale_of_weights_is_their_own():
    model = LSF(dataclasses.replace(TINY, motion_scaling="range"))
    curves = torch.rand(4, 5)
    torch.testing.assert_close(model.standardise(curves), curves)


def test_the_scale_of_the_data_is_mean_and_deviation_and_a_constant_channel_is_not_divided_by_zero():
    model = LSF(TINY)
    model.fit_scaling(torch.tensor([[1.0, 5.0]] * 2 + [[3.0, 5.0]] * 2).repeat(1, 3)[:, :5])
    torch.testing.assert_close(model.motion_mean, torch.tensor([2.0, 5.0, 2.0, 5.0, 2.0]))
    torch.testing.assert_close(model.motion_scale[:2], torch.tensor([(4 / 3) ** 0.5, 1e-4]))


def test_features_are_stretched_to_the_motion_or_cropped():
    features = torch.tensor([[0.0, 10.0], [1.0, 20.0], [2.0, 30.0]])
    crop, stretch = LSF(CONFIGS["paper"]), LSF(CONFIGS["released"])
    assert torch.equal(crop.match_features(features, 1), features[:2])
    assert torch.equal(crop.match_features(features, 9), features)  # the motion is to be cut as well
    stretched = stretch.match_features(features, 3)  # five halves of a frame on the way from the first to the last
    torch.testing.assert_close(stretched[:, 0], torch.linspace(0, 2, 6))
    torch.testing.assert_close(stretched[:, 1], torch.linspace(10, 30, 6))


# Streams


def encode(encoder: SIEEncoder, motion, gain):
    return encoder(motion, motion, gain)[1]


def test_instance_norm_takes_an_identity_that_comes_first_away_and_not_one_that_comes_last():
    x, double = torch.randn(1, 30, 6), torch.full((1, 1, 16), 2.0)
    changes = []
    for first in (True, False):
        torch.manual_seed(0)
        config = dataclasses.replace(SMALL, stream_norm="instance", identity_first=first, random_positions=False)
        encoder = SIEEncoder(config, 6, 6).eval()
        encoder.motion.embed.conv.conv.bias.data.zero_()
        encoder.motion.linear.bias.data.zero_()
        plain = encode(encoder, x, double / 2)
        changes.append(((encode(encoder, x, double) - plain).norm() / plain.norm()).item())
    assert changes[0] < 1e-3 and changes[1] == pytest.approx(1.0)


def test_identity_first_multiplies_before_the_convolution_and_last_after_the_positions():
    x, gain = torch.randn(1, 9, 6), torch.rand(1, 1, 16)
    for first in (True, False):
        encoder = SIEEncoder(dataclasses.replace(SMALL, identity_first=first, random_positions=False), 6, 6).eval()
        by_hand = copy.deepcopy(encoder)
        if first:
            by_hand.motion.linear.weight.data.mul_(gain[0, 0, :, None])
            by_hand.motion.linear.bias.data.mul_(gain[0, 0])
            expected = encode(by_hand, x, torch.ones(1, 1, 16))
        else:
            expected = encode(by_hand, x, torch.ones(1, 1, 16)) * gain
        torch.testing.assert_close(encode(encoder, x, gain), expected)


def test_the_shared_linear_is_one_for_both_streams():
    encoder = SIEEncoder(dataclasses.replace(SMALL, shared_linear=True), 6, 6).eval()
    own = SIEEncoder(SMALL, 6, 6)
    numbers = [sum(weight.numel() for weight in module.parameters()) for module in (encoder, own)]
    assert numbers[1] - numbers[0] == 16 * 16 + 16
    encoder.shared.weight.data.zero_()
    encoder.shared.bias.data.fill_(7.0)
    gain = torch.ones(1, 1, 16)
    emotion, motion = encoder(torch.randn(1, 5, 6), torch.randn(1, 5, 6), gain)
    assert torch.equal(emotion, motion)  # both are 7 and the positions


def test_positions_of_the_paper_begin_at_zero_in_training_and_in_every_window():
    encoder = SIEEncoder(dataclasses.replace(SMALL, random_positions=False), 6, 6).train()
    x, gain = torch.randn(2, 8, 6), torch.ones(1, 1, 16)
    found = [encoder(x, x, gain, first=first)[1] for first in (0, 0, 40)]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_dropout_after_the_positions_is_the_only_one_of_the_released_code():
    model = build("released").train()
    assert {type(m) for m in model.modules() if getattr(m, "p", 0) and "Dropout" in type(m).__name__} == {
        torch.nn.Dropout
    }
    active = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout) and m.p and "backbone" not in n]
    assert active == ["sie_encoder.dropout", "prior.encoder.positions.1", "prior.decoder.positions.1"]
    assert all(layer.dropout == 0 for layer in (model.hifb.last, *model.prior.encoder.layers))
    encoder = model.sie_encoder
    x, gain = torch.randn(1, 400, 32).double(), torch.ones(1, 1, 32).double()
    stream = encoder(x, x, gain)[1]
    kept = stream != 0
    assert kept.double().mean().item() == pytest.approx(0.9, abs=0.01)
    torch.testing.assert_close(stream[kept], encoder.eval()(x, x, gain)[1][kept] / 0.9)


# Fusion


@pytest.mark.parametrize("update", ["mean", "discarded"])
def test_tokens_that_leave_the_streams_are_averaged_or_discarded(update):
    torch.manual_seed(0)
    block = FusionBlock(dataclasses.replace(SMALL, fusion_update=update)).eval()
    for module in (block.pairs.out, block.mlp[-2]):
        torch.nn.init.zeros_(module.weight)
        torch.nn.init.zeros_(module.bias)
    tokens, emotion, motion = torch.randn(1, 4, 16), torch.randn(1, 6, 16), torch.randn(1, 6, 16)
    found, *_ = block(tokens, emotion, motion, None, None)
    after = [
        layer(torch.cat((tokens, stream), 1))[:, :4]
        for layer, stream in ((block.emotion_layer, emotion), (block.motion_layer, motion))
    ]
    torch.testing.assert_close(found, tokens if update == "discarded" else (after[0] + after[1]) / 2)


@pytest.mark.parametrize("update", ["mean", "discarded"])
def test_without_fusion_tokens_the_streams_do_not_meet(update):
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIGS["paper"], fusion_tokens=0, fusion_update=update, fusion_blocks=3)
    model = LSF(config).eval()
    motion, emotion = torch.randn(1, 20, 16), torch.randn(1, 20, 16)
    assert torch.equal(model(motion, emotion).z, model(motion, 3 * emotion).z)
    model(motion, emotion).z.sum().backward()


# Codes


def test_the_channel_layout_is_a_clip_channel_by_channel_cut_to_codes():
    """Three frames of four channels, value 10 · channel + frame, in codes of two."""
    z = (10 * torch.arange(4)[None, :] + torch.arange(3)[:, None]).float()[None]
    rows = ChannelLayout(2).rows(z, None)
    assert rows.shape == (1, 3, 2, 2)
    expected = [[0, 1], [2, 10], [11, 12], [20, 21], [22, 30], [31, 32]]
    assert rows.reshape(6, 2).tolist() == expected
    assert torch.equal(ChannelLayout(2).latents(rows, None), z)
    assert FrameLayout(2).rows(z, None)[0, 1].tolist() == [[1, 11], [21, 31]]


def test_the_channel_layout_lays_out_each_clip_of_a_batch_by_its_own_length():
    z, mask = torch.randn(2, 6, 4), torch.arange(6)[None] < torch.tensor([[6], [3]])
    layout = ChannelLayout(2)
    rows = layout.rows(z, mask)
    assert torch.equal(rows[1, :3], layout.rows(z[1:, :3], None)[0]) and not rows[1, 3:].any()
    assert not torch.equal(layout.rows(z, None)[1, :3], rows[1, :3])  # the length of the clip decides
    back = layout.latents(rows, mask)
    assert torch.equal(back[1, :3], z[1, :3]) and torch.equal(back[0], z[0])


def test_a_codebook_that_learns_by_gradient_has_both_terms_of_the_loss():
    torch.manual_seed(0)
    quantiser = TrainedQuantiser(dataclasses.replace(SMALL, direct_path=("linear",), code_size=1, codes=2))
    quantiser.codebook.data = torch.tensor([[[1.0], [4.0]]])
    z = torch.tensor([[[1.5, 3.0]]], requires_grad=True)  # codes 0 and 1, errors 0.5 and 1
    found = quantiser(z)
    assert found.codes.flatten().tolist() == [0, 1] and found.latent.tolist() == [[[1.0, 4.0]]]
    assert found.loss.item() == pytest.approx(1.25 * (0.25 + 1.0) / 2)
    found.loss.backward()
    assert quantiser.codebook.grad.flatten().tolist() == [pytest.approx(-0.5), pytest.approx(1.0)]
    assert z.grad.flatten().tolist() == [pytest.approx(0.25 * 0.5), pytest.approx(-0.25 * 1.0)]


def test_a_codebook_that_learns_by_gradient_learns_and_starts_with_many_codes():
    torch.manual_seed(0)
    quantiser = TrainedQuantiser(dataclasses.replace(SMALL, codes=64, code_size=8))
    vectors = torch.randn(8, 50, 16)
    assert quantiser(vectors).codes.unique().numel() > 32
    optimiser = torch.optim.Adam(quantiser.parameters(), 3e-2)
    before = quantiser(vectors).loss.item()
    for _ in range(100):
        optimiser.zero_grad()
        quantiser(vectors, learn=True).loss.backward()
        optimiser.step()
    assert quantiser(vectors).loss.item() < 0.6 * before
    assert quantiser.update() is None


def test_a_raw_temperature_is_of_squared_distances_whatever_the_codebooks_spacing():
    torch.manual_seed(0)
    quantiser = AveragedQuantiser(
        dataclasses.replace(TINY, codes=3, code_size=1, codes_per_frame=1, sampling_unit="raw")
    )
    quantiser.codebook.copy_(torch.tensor([[[0.0], [0.5], [1.5]]]))
    frames = 40000
    gumbel = -torch.log(-torch.log(torch.rand(frames, 1, 1, 3)))
    codes = quantiser(torch.full((1, frames, 1), 0.2), temperature=0.2, noise=gumbel).codes.flatten()
    drawn = torch.bincount(codes, minlength=3) / frames
    expected = torch.tensor([-0.04 / 0.2, -0.09 / 0.2, -1.69 / 0.2]).softmax(0)
    torch.testing.assert_close(drawn, expected, atol=0.01, rtol=0)


def test_half_precision_around_the_quantiser_does_not_reach_it():
    torch.manual_seed(0)
    quantiser = AveragedQuantiser(SMALL)
    z = torch.randn(1, 200, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = quantiser(z, learn=True)
        half = quantiser(z.bfloat16())
    assert found.latent.dtype == half.latent.dtype == torch.float32
    assert torch.equal(
        quantiser(z).codes, torch.cdist(z.reshape(-1, 8), quantiser.codebook[0]).argmin(-1).view(1, 200, 1, 2)
    )


# Codebooks of several processes


class Together:
    """Sums over processes that are threads here."""

    def __init__(self, ranks: int):
        self.parts: dict[int, torch.Tensor] = {}
        self.barrier = threading.Barrier(ranks, timeout=60)

    def total(self, rank: int):
        def add(x: torch.Tensor) -> torch.Tensor:
            self.parts[rank] = x
            self.barrier.wait()
            result = torch.stack([self.parts[other] for other in sorted(self.parts)]).sum(0)
            self.barrier.wait()
            return result

        return add


def deferred(config: LSFConfig) -> AveragedQuantiser:
    torch.manual_seed(0)
    quantiser = AveragedQuantiser(config).double()
    quantiser.deferred = True
    return quantiser


def test_codebooks_of_two_processes_are_those_of_one_that_saw_everything():
    """Clips of unlike length, one process without a clip in some steps, and codes that die and are drawn anew."""
    config = dataclasses.replace(SMALL, codes=12, residual_stages=1)
    steps = []
    for step in range(20):
        scale = 1.0 if step < 10 else 0.05  # later vectors are close together, so that outer codes die
        steps.append([scale * torch.randn(1, n, 16).double() for n in ((9, 4), (30, 1), (5,))[step % 3]])
    one = deferred(config)
    one.DECAY = 0.5
    generator = torch.Generator().manual_seed(5)
    reseeded = 0
    for batch in steps:
        for clip in batch:
            one(clip, learn=True)
        initialised = one.counts.any()
        one.update(Ranks(generator=generator))
        reseeded += int((one.counts == one.INITIAL_COUNT).sum()) if initialised else 0
    assert reseeded > 5
    together, found = Together(2), [deferred(config), deferred(config)]

    def process(rank: int) -> None:
        own, draws = found[rank], torch.Generator().manual_seed(5)
        own.DECAY = 0.5
        for batch in steps:
            for clip in batch[rank : rank + 1]:
                own(clip, learn=True)
            own.update(Ranks(together.total(rank), rank, 2, draws))

    threads = [threading.Thread(target=process, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for name in ("codebook", "counts", "sums"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name))
        torch.testing.assert_close(getattr(found[0], name), getattr(one, name), atol=1e-10, rtol=0)


def test_a_step_of_all_that_was_collected_counts_as_one_and_nothing_collected_changes_nothing():
    config = dataclasses.replace(SMALL, codes=4)
    a, b = deferred(config), deferred(config)
    first, second = torch.randn(1, 30, 16).double(), torch.randn(1, 11, 16).double()
    for quantiser in (a, b):
        quantiser(first, learn=True)
        quantiser.update(Ranks(generator=torch.Generator().manual_seed(1)))
    codebook = a.codebook.clone()
    a.update()
    assert torch.equal(a.codebook, codebook)
    for part in (first, second):
        a(part, learn=True)
    assert torch.equal(a.codebook, codebook)
    a.update()
    b(torch.cat((first, second), 1), learn=True)
    b.update()
    assert not torch.equal(a.codebook, codebook)
    torch.testing.assert_close(a.codebook, b.codebook)


def test_one_deferred_step_is_the_immediate_one():
    torch.manual_seed(0)
    now = AveragedQuantiser(SMALL).double()
    vectors = torch.randn(1, 40, 16).double()
    now(vectors, learn=True)
    later = copy.deepcopy(now)
    later.deferred = True
    now(vectors[:, :20], learn=True)
    later(vectors[:, :20], learn=True)
    later.update()
    torch.testing.assert_close(later.codebook, now.codebook)


# Prior


def test_positions_of_the_prior_are_absolute_or_distances():
    latent = torch.randn(1, 60, 16)
    for positions, alike in (("absolute", False), ("rotary", True)):
        torch.manual_seed(0)
        prior = MotionPrior(dataclasses.replace(SMALL, prior_positions=positions, prior_span=4)).eval()
        reach = 4 * SMALL.prior_layers + 2
        whole, part = prior.decode(latent)[:, 20 + reach :], prior.decode(latent[:, 20:])[:, reach:]
        assert torch.allclose(whole, part, atol=1e-5) == alike


def test_the_last_layer_of_the_decoder_may_have_no_bias():
    prior = MotionPrior(dataclasses.replace(SMALL, decoder_bias=False))
    assert prior.out.bias is None and MotionPrior(SMALL).out.bias is not None


# Whole clips


@pytest.mark.parametrize("name", ["paper", "released"])
def test_a_whole_clip_is_one_window_and_equals_the_model_itself(name, speech_like):
    config = CONFIGS[name]
    torch.manual_seed(0)
    model = LSF(config).eval()
    audio, identity = speech_like(11.0), np.random.default_rng(0).standard_normal(300).astype(np.float32)
    asked = []
    whole = synthesize(model, audio, identity, window=None, cancelled=lambda: bool(asked.append(0))).curves
    assert len(asked) >= 6  # before the layers of both streams, the prior and the encoders
    with torch.inference_mode():
        motion, emotion = model.encode_audio(torch.from_numpy(audio))
        expected = model(motion[None], emotion[None], torch.from_numpy(identity)[None]).motion[0].numpy()
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    windows = synthesize(model, audio, identity).curves
    assert np.abs(windows - whole).max() > 1e-3  # statistics over 10 s are not those of 11 s
    assert config.whole_clip and not LSFConfig().whole_clip


def test_a_whole_clip_that_is_too_long_for_the_encoder_has_windows_as_long_as_it_takes(make_open, speech_like):
    model = make_open()
    model.motion_backbone.max_frames = 100  # two seconds
    reports = []
    curves = synthesize(model, speech_like(5.0), window=None, report=lambda done, text: reports.append(text)).curves
    assert curves.shape == (125, 5) and len(reports) == 5


def test_a_whole_clip_can_be_cancelled_between_layers_and_leaves_no_hook(speech_like):
    model = LSF(CONFIGS["paper"]).eval()
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        synthesize(model, speech_like(1.0), window=None, cancelled=lambda: next(calls) > 4)
    assert next(calls) == 6
    assert not any(module._forward_pre_hooks for module in model.hifb.modules())
