import dataclasses

import pytest
import torch

from server.model import LSFConfig
from server.model.layers import TransformerLayer
from server.model.motion_prior import AveragedQuantiser, MotionPrior, take_noise

SMALL = LSFConfig(
    channels=("a", "b", "c", "d"),
    codes=16,
    code_size=8,
    codes_per_frame=2,
    prior_width=24,
    prior_mlp=32,
    prior_heads=2,
    prior_layers=2,
    prior_span=4,
    width=32,
    mlp=32,
    heads=4,
    dropout=0.0,
)


def motion(clips=4, frames=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rate = torch.rand(clips, 1, 4, generator=generator) * 0.4 + 0.05
    return torch.sin(torch.arange(frames)[None, :, None] * rate)


def prior(seed=0, **changes) -> MotionPrior:
    torch.manual_seed(seed)
    return MotionPrior(dataclasses.replace(SMALL, **changes))


@pytest.mark.parametrize("changes", [{}, {"residual_stages": 1}, {"prior_layers": 0}, {"prior_norm": "instance"}])
def test_learns_motion(changes):
    model, target = prior(**changes), motion()
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    errors = []
    for _ in range(100):
        decoded, quantised = model(target)
        loss = (decoded - target).abs().mean()
        optimiser.zero_grad()
        (loss + 1.5 * quantised.loss).backward()
        optimiser.step()
        errors.append(loss.item())
    assert errors[-1] < 0.4 * errors[0]
    assert model.eval()(target)[1].codes.unique().numel() > 4


def test_residual_codes_come_closer():
    torch.manual_seed(0)
    vectors = torch.randn(8, 50, 16)
    errors = []
    for stages in (0, 1, 2):
        quantiser = AveragedQuantiser(dataclasses.replace(SMALL, residual_stages=stages))
        for _ in range(60):
            quantiser(vectors, learn=True)
        found = quantiser(vectors)
        errors.append((found.latent - vectors).square().mean().item())
        assert found.codes.shape == (8, 50, 1 + stages, 2)
        vectors_of_codes = [book[found.codes[:, :, stage]] for stage, book in enumerate(quantiser.codebook)]
        torch.testing.assert_close(torch.stack(vectors_of_codes).sum(0).flatten(-2), found.latent)
    assert errors[2] < errors[1] < errors[0]


def test_nearest_code_and_straight_through_gradient():
    torch.manual_seed(0)
    quantiser = AveragedQuantiser(SMALL)
    z = torch.randn(2, 5, 16, requires_grad=True)
    found = quantiser(z)
    distance = torch.cdist(z.detach().reshape(-1, 8), quantiser.codebook[0])
    assert torch.equal(found.codes.flatten(), distance.argmin(-1))
    found.latent.sum().backward()
    assert torch.equal(z.grad, torch.ones_like(z))


def test_dead_codes_come_alive():
    torch.manual_seed(0)
    quantiser = AveragedQuantiser(SMALL)
    quantiser(torch.randn(1, 20, 16), learn=True)
    quantiser.codebook[0, 3:] = 1e3  # nothing is near them
    quantiser.sums[0, 3:] = 1e3 * quantiser.counts[0, 3:, None]
    for _ in range(500):
        quantiser(torch.randn(4, 20, 16), learn=True)
    assert quantiser(torch.randn(40, 50, 16)).codes.unique().numel() == 16


def test_padding_neither_counts_nor_changes_anything():
    model = prior().train()
    target, mask = motion(2, 30), torch.arange(30)[None] < torch.tensor([[30], [9]])
    model(target)  # seeds the codebook
    twin = prior()
    twin.load_state_dict(model.state_dict())
    wild = torch.where(mask[..., None], target, 1e3)
    _, a = model(target, mask)
    _, b = twin(wild, mask)
    assert torch.equal(model.quantiser.codebook, twin.quantiser.codebook)
    torch.testing.assert_close(a.loss, b.loss)
    model.eval()
    together, alone = model(wild, mask)[0], model(target[1:, :9])[0]
    torch.testing.assert_close(together[1:, :9], alone, atol=1e-5, rtol=0)


def test_a_window_decodes_as_the_whole_does():
    model = prior().eval()
    latent = torch.randn(1, 120, 16)
    reach = 2 * 4 + 2  # two layers of span 4, one convolution of reach 2
    whole, part = model.decode(latent), model.decode(latent[:, 30:90])
    torch.testing.assert_close(part[:, reach:-reach], whole[:, 30 + reach : 90 - reach], atol=1e-5, rtol=0)


def test_rotary_attention_knows_distances_only():
    torch.manual_seed(0)
    layer = TransformerLayer(16, 2, 16, 0.0, rotary=True).eval()
    x, lead = torch.randn(1, 6, 16), torch.randn(1, 5, 16)
    own = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    shifted = torch.zeros(1, 1, 11, 11, dtype=torch.bool)
    shifted[..., 5:, 5:] = True
    shifted[..., :5, :5] = True
    torch.testing.assert_close(layer(torch.cat((lead, x), 1), shifted)[:, 5:], layer(x, own), atol=1e-5, rtol=0)
    assert not torch.allclose(layer(x), layer(x.flip(1)).flip(1), atol=1e-3)  # yet order matters


@pytest.mark.parametrize("smoothing", [0.0, 3.0])
def test_noise_belongs_to_the_frame_of_the_clip(smoothing):
    config = dataclasses.replace(SMALL, take_smoothing=smoothing)
    whole = take_noise(config, 7, 0, 100)
    assert whole.shape == (100, 1, 2, 16)
    torch.testing.assert_close(take_noise(config, 7, 60, 40), whole[60:])
    assert not torch.equal(take_noise(config, 8, 0, 100), whole)
    assert torch.equal(take_noise(config, -3, 0, 5), take_noise(config, -3, 0, 5))  # any integer is a seed
    neighbours = torch.corrcoef(torch.stack((whole[:-1].flatten(), whole[1:].flatten())))[0, 1]
    assert (neighbours > 0.8) if smoothing else (neighbours.abs() < 0.1)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_codes_are_drawn_from_the_softmax_of_distances(smoothing):
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, codes=5, take_smoothing=smoothing)
    quantiser = AveragedQuantiser(config)
    quantiser.codebook *= 0.3
    z = 0.3 * torch.randn(1, 1, 16)
    apart = torch.cdist(quantiser.codebook[0], quantiser.codebook[0]).square()
    near = apart.where(apart > 0, torch.inf).min(-1).values.median()  # the unit of distances
    frames = 20000
    found = quantiser(z.expand(1, frames, 16), temperature=0.5, noise=take_noise(config, 1, 0, frames))
    for slot in range(2):
        distance = (z[0, 0, 8 * slot : 8 * slot + 8] - quantiser.codebook[0]).square().sum(-1)
        drawn = torch.bincount(found.codes[0, :, 0, slot], minlength=5) / frames
        torch.testing.assert_close(drawn, (-distance / near / 0.5).softmax(-1), atol=0.02, rtol=0)
