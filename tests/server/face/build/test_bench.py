"""The yardsticks of the bench on what is known: the project's own head against itself and against spoiled shapes."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.build.bench import agreement, landmark_error
from server.face.head import load_head
from server.face.space import fit


@pytest.fixture(scope="module")
def space():
    head = load_head()
    return fit(head.vertices, head.faces)


def truth(change=lambda deltas: deltas):
    head = load_head()
    return {
        "channels": np.array(CHANNELS),
        "deltas": change(head.basis.copy()),
        "landmarks68_ids": np.arange(68),
        "landmarks68_xyz": head.landmarks68,
    }


def test_a_head_agrees_with_itself(space):
    mouth, ratio, other, other_ratio, upper, lower, leak = agreement(space, truth())
    np.testing.assert_allclose([mouth, ratio, other, other_ratio], 1, atol=1e-5)
    assert upper == lower == 0 and 0 < leak < 0.08
    assert landmark_error(space, truth()) < 1e-5


def test_what_is_wrong_shows(space):
    head = load_head()

    def spoil(deltas):
        deltas[CHANNELS.index("mouthPucker")] *= -2
        deltas[CHANNELS.index("jawOpen")][head.mouth_side == 1] = 0.03  # the artist's upper lip drops with the jaw
        return deltas

    spoiled = agreement(space, truth(spoil))
    assert spoiled[0] < 0.9 and spoiled[5] > 0.1
    far = truth() | {"landmarks68_xyz": head.landmarks68 + np.array([0.01, 0, 0])}
    eyes = np.linalg.norm(head.landmarks68[36] - head.landmarks68[45])
    np.testing.assert_allclose(landmark_error(space, far), 0.01 / eyes, rtol=1e-3)
    assert np.isnan(agreement(space, {})).all() and np.isnan(landmark_error(space, {}))
