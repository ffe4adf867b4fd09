"""The emotion reader: statistics of the spoken part, and a speaker's own mean."""

import pytest
import torch

from server.model.emotion import EMBEDDING, EmotionReader, local_statistics, statistics
from server.protocol.emotions import EMOTIONS

SIZE = 6


@pytest.fixture
def reader():
    """A reader that takes the first channel for the certainty of speech."""
    torch.manual_seed(0)
    made = EmotionReader(SIZE, 4)
    made.mean.normal_()
    made.projection.normal_()
    made.speech[0] = 100.0
    return made


def line(seconds: float, seed: int, level: float = 0.0) -> torch.Tensor:
    """Features at 50 Hz in all of which somebody speaks."""
    features = torch.randn(int(50 * seconds), SIZE, generator=torch.Generator().manual_seed(seed)) + level
    features[:, 0] = 1
    return features


def test_weighted_statistics_leave_out_what_has_no_weight():
    features = torch.randn(40, SIZE)
    weights = torch.cat([torch.ones(30), torch.zeros(10)])
    torch.testing.assert_close(statistics(features, weights), statistics(features[:30]))
    expected = torch.cat([features.mean(0), features.std(0, unbiased=False)])
    torch.testing.assert_close(statistics(features), expected)


def test_a_window_has_the_statistics_of_its_frames_however_large_the_features():
    features, weights = 300 + torch.randn(200, SIZE), torch.rand(200) + 0.1
    found = local_statistics(features, weights, span=20, step=50)
    assert len(found) == 4
    torch.testing.assert_close(found[2], statistics(features[80:121], weights[80:121]), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found[0], statistics(features[:21], weights[:21]), atol=1e-3, rtol=1e-4)


def test_silence_does_not_change_what_is_read(reader):
    spoken = line(1.0, 1)
    silence = torch.full((50, SIZE), 7.0)
    silence[:, 0] = -1
    embedding, _ = reader(spoken, 2)
    with_pause, _ = reader(torch.cat([spoken, silence]), 2)
    assert (with_pause[10] - embedding[10]).norm() < 0.05 * embedding[10].norm()
    assert reader.spoken(silence).max() < 0.01 < 0.99 < reader.spoken(spoken).min()


def test_embedding_and_logits_have_a_row_for_each_motion_frame(reader):
    embedding, logits = reader(line(2.0, 1), 2)
    assert embedding.shape == (50, EMBEDDING) and logits.shape == (50, 4)
    assert reader.bank.shape == (len(EMOTIONS), EMBEDDING)


def test_against_its_own_mean_a_voice_is_read_whatever_its_offset(reader):
    offset = torch.zeros(2 * SIZE)
    offset[1:SIZE] = 5.0  # another room or voice: the same in every line

    def spread(own: bool, shift: torch.Tensor) -> torch.Tensor:
        lines = torch.stack([reader.voice_statistics(line(3.0, seed)) + shift for seed in range(200)])
        mean = reader.own_mean(lines, torch.full((200,), 3.0)) if own else reader.mean
        return (lines[0] - mean) @ reader.projection

    apart = (spread(False, offset) - spread(False, 0 * offset)).norm()
    assert (spread(True, offset) - spread(True, 0 * offset)).norm() < 0.02 * apart


def test_few_lines_are_no_average_and_more_lines_count_more(reader):
    lines = torch.ones(20, 2 * SIZE) + reader.mean
    assert reader.own_mean(lines[:2], torch.tensor([5.0, 5.0])) is None
    assert reader.own_mean(lines[:4], torch.full((4,), 1.0)) is None, "four lines of a second are two"
    shares = [(reader.own_mean(lines[:n], torch.full((n,), 4.0)) - reader.mean).mean().item() for n in (3, 6, 20)]
    assert 0.4 < shares[0] < shares[1] < shares[2] < 1


def test_lines_count_by_their_length(reader):
    lines = torch.stack([reader.mean + 1, reader.mean + 1, reader.mean + 1, reader.mean - 9])
    seconds = torch.tensor([3.0, 3.0, 3.0, 0.0])
    assert (reader.own_mean(lines, seconds) - reader.mean).mean().item() == pytest.approx(0.5)
