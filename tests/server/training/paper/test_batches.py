"""Orders, shares and padding of clips of unlike lengths."""

import numpy as np
import pytest
import torch

from server.training.paper.batches import Example, collate, epoch_batches, portion


@pytest.mark.parametrize(("clips", "batch"), [(1, 1), (5, 4), (100, 7), (16, 16), (70, 2)])
def test_every_clip_is_in_one_step_of_an_epoch(clips, batch):
    lengths = np.random.default_rng(0).integers(10, 300, clips)
    steps = epoch_batches(lengths, batch, 1, 0)
    assert sorted(clip for step in steps for clip in step) == list(range(clips))
    assert len(steps) == -(-clips // batch) and all(1 <= len(step) <= batch for step in steps)


def test_the_order_depends_on_seed_and_epoch_alone():
    lengths = list(range(40))
    first = epoch_batches(lengths, 4, 1, 0)
    np.random.seed(5)
    torch.manual_seed(5)
    assert epoch_batches(lengths, 4, 1, 0) == first
    assert epoch_batches(lengths, 4, 1, 1) != first and epoch_batches(lengths, 4, 2, 0) != first


def test_clips_of_a_step_are_of_like_length():
    lengths = np.random.default_rng(1).integers(25, 250, 640)
    padded = [len(step) * max(lengths[clip] for clip in step) for step in epoch_batches(lengths, 8, 1, 0)]
    in_any_order = [8 * lengths[at : at + 8].max() for at in range(0, 640, 8)]
    assert sum(padded) < 1.08 * lengths.sum() < 1.4 * lengths.sum() < sum(in_any_order)


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_parts_of_a_step_make_the_step(parts):
    for count in range(7):
        clips = list(range(10, 10 + count))
        found = [portion(clips, part, parts) for part in range(parts)]
        assert [clip for part in found for clip in part] == clips
        assert max(map(len, found)) - min(map(len, found)) <= 1


def test_padding_is_masked_and_absent_where_lengths_are_equal():
    def example(frames, features):
        return Example(torch.ones(frames, 3), torch.ones(2), torch.ones(features, 4), torch.ones(features, 5))

    batch = collate([example(2, 6), example(4, 6)], torch.device("cpu"))
    assert batch.mask.tolist() == [[True, True, False, False], [True] * 4] and batch.frames == 6
    assert batch.feature_mask is None and batch.emotion_features.shape == (2, 6, 5)
    assert batch.motion[0, 2:].abs().sum() == 0
    alone = collate([example(4, 6)], torch.device("cpu"), torch.float64)
    assert alone.mask is None and alone.frames == 4 and alone.motion.dtype == torch.float64
    assert collate([Example(torch.ones(1, 3), torch.ones(2))], torch.device("cpu")).motion_features is None
