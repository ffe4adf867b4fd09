"""The mouth of curves, and curves of a mouth."""

import numpy as np
import torch

from server import arkit
from server.training.labels import mouth

JAW = arkit.CHANNELS.index("jawOpen")


def test_a_mouth_has_the_mean_of_both_sides_and_the_lips_in_millimetres():
    curves = np.zeros((2, len(arkit.CHANNELS)), np.float32)
    curves[:, JAW] = [0.2, 0.4]
    curves[:, arkit.CHANNELS.index("mouthSmileLeft")] = 0.6
    found = mouth.curves_to_mouth(curves, np.array([[0.001, 0.05], [0.002, 0.051]]))
    assert found.shape == (2, len(mouth.MOUTH_CHANNELS) + 2)
    np.testing.assert_allclose(found[:, mouth.MOUTH_CHANNELS.index("jawOpen")], [0.2, 0.4])
    np.testing.assert_allclose(found[:, mouth.MOUTH_CHANNELS.index("mouthSmile")], 0.3)
    np.testing.assert_allclose(found[:, -2:], [[1, 50], [2, 51]])


def test_curves_of_a_mouth_are_symmetric_weights_and_give_the_mouth_again():
    weights = np.random.default_rng(0).random((5, len(mouth.MOUTH_CHANNELS) + 2)).astype(np.float32)
    curves = mouth.mouth_to_curves(torch.from_numpy(weights)).numpy()
    np.testing.assert_array_equal(curves, curves[:, [arkit.CHANNELS.index(arkit.mirrored(c)) for c in arkit.CHANNELS]])
    np.testing.assert_allclose(mouth.curves_to_mouth(curves, weights[:, -2:] / 1e3), weights, rtol=1e-5)
    spoken = [i for name in mouth.MOUTH_CHANNELS for i in arkit.channel_indices(name)]
    assert not np.delete(curves, spoken, 1).any()
    beyond = mouth.mouth_to_curves(torch.from_numpy(4 * weights - 2))
    assert beyond.min() == 0 and beyond.max() == 1
