import torch

from server.model.speech import padded_slice


def test_a_slice_is_zero_outside_the_clip():
    clip = torch.arange(1.0, 6)
    assert padded_slice(clip, -2, 3).tolist() == [0, 0, 1, 2, 3]
    assert padded_slice(clip, 3, 8).tolist() == [4, 5, 0, 0, 0]
    assert padded_slice(clip, 7, 9).tolist() == [0, 0] and padded_slice(clip, -4, -2).tolist() == [0, 0]
