import dataclasses

import pytest
import torch

from server.model import LSFConfig
from server.model.emotion import EMBEDDING
from server.model.sie_encoder import FeatureNorm, IdentityEmbedding, SIEEncoder

SMALL = LSFConfig(width=16, heads=2, identity_size=3, identity_styles=4, direct_path=(), code_size=8)
GAIN = torch.ones(1, 1, 16)


def encoder(**changes) -> SIEEncoder:
    return SIEEncoder(dataclasses.replace(SMALL, **changes), 6, 6)


@pytest.mark.parametrize("norm", ["instance", "layer"])
@pytest.mark.parametrize("training", [False, True])
def test_one_frame_and_silence_stay_finite_with_gradients(norm, training):
    streams = encoder(stream_norm=norm).train(training)
    for x in (torch.randn(2, 1, 6), torch.zeros(2, 30, 6), torch.full((1, 9, 6), 3.0)):
        x.requires_grad_()
        out = torch.cat(streams(x, x, GAIN))
        out.square().sum().backward()
        assert out.shape == (2 * len(x), x.shape[1], 16) and out.isfinite().all() and x.grad.isfinite().all()


@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_padded_clip_equals_clip_alone(norm):
    torch.manual_seed(0)
    streams = encoder(stream_norm=norm).eval()
    x = torch.randn(2, 20, 6)
    mask = torch.arange(20)[None] < torch.tensor([[20], [3]])
    out = torch.cat(streams(x, x, GAIN, mask))
    for clip, frames in enumerate((20, 3)):
        own = x[clip : clip + 1, :frames]
        alone = torch.cat(streams(own, own, GAIN))
        torch.testing.assert_close(out[clip::2, :frames], alone, atol=1e-5, rtol=0)


def test_positions_start_at_random_only_while_training_and_alike_in_both_streams(make):
    encoder = make(emotion_bank=True).sie_encoder
    motion, place, gain = torch.randn(1, 8, 48), torch.randn(2, 1, EMBEDDING), torch.ones(1, 1, 32)
    drawn, again = (encoder.train()(motion, place, gain) for _ in range(2))
    fixed = [encoder.eval()(motion, place, gain, first=first) for first in (0, 0, 5)]
    for trained, other, at_0, at_0_again, at_5 in zip(drawn, again, *fixed, strict=True):
        assert not torch.equal(trained, other) and torch.equal(at_0, at_0_again) and not torch.equal(at_0, at_5)
    moved = [trained - at_0 for trained, at_0 in zip(drawn, fixed[0], strict=True)]
    for change in moved[0]:  # of the emotion stream, for each place
        torch.testing.assert_close(change, moved[1][0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_features_that_are_the_same_in_all_frames_need_one(norm):
    torch.manual_seed(0)
    streams = encoder(stream_norm=norm).eval()
    motion, same = torch.randn(2, 20, 6), torch.randn(2, 1, 6)
    mask = torch.arange(20)[None] < torch.tensor([[20], [3]])
    one, all_frames = (streams(motion, x, GAIN, mask)[0] for x in (same, same.expand(-1, 20, -1)))
    torch.testing.assert_close(one[0], all_frames[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(one[1, :3], all_frames[1, :3], atol=1e-5, rtol=0)


def test_identity_starts_near_one_and_tells_faces_apart():
    torch.manual_seed(0)
    identity = IdentityEmbedding(6, 8, (16, 24))
    for gain, width in zip(identity(torch.randn(4, 6)), (16, 24), strict=True):
        assert gain.shape == (4, width) and (gain - 1).abs().max() < 0.1
        assert (gain[0] - gain[1]).abs().max() > 1e-5


def test_feature_norm_whitens():
    torch.manual_seed(0)
    features = torch.randn(5000, 4) @ torch.randn(4, 12) * torch.logspace(-2, 3, 12) + 100
    features += 0.01 * torch.randn(5000, 12) * torch.logspace(-2, 3, 12)
    norm = FeatureNorm(12, 3, noise=0.0)
    norm.fit(features)
    out = norm(features[None])[0]
    torch.testing.assert_close(out.T @ out / 5000, torch.eye(3), atol=2e-2, rtol=0)
    norm.fit(features, whiten=False)
    variance = norm(features[None])[0].var(0)
    assert abs(variance[0] - 1) < 0.02 and variance[2] < variance[1] < variance[0]
    noisy = FeatureNorm(12, 0, noise=0.5)
    assert not torch.equal(noisy.train()(features), features) and torch.equal(noisy.eval()(features), features)
