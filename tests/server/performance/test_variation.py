"""Each seed varies brows, lids and opening differently, and none opens closed lips."""

import numpy as np

from server.arkit import CHANNELS
from server.performance.variation import Take

SPEECH = np.zeros((200, 52), np.float32)
SPEECH[:, CHANNELS.index("jawOpen")] = np.clip(np.sin(np.arange(200) / 4), 0, 1) * 0.5
SPEECH[:, CHANNELS.index("browInnerUp")] = 0.2


def said(temperature: float, seed: int) -> np.ndarray:
    return Take.draw(len(SPEECH), 25, temperature, seed).apply(SPEECH)


def test_temperature_zero_changes_nothing_and_a_seed_repeats_itself():
    np.testing.assert_array_equal(said(0, 3), SPEECH)
    np.testing.assert_array_equal(said(0.2, 3), said(0.2, 3))
    assert said(0.2, 3).dtype == np.float32


def test_takes_differ_in_brows_lids_and_opening():
    takes = np.stack([said(0.2, seed) for seed in range(10)])
    for name in ("browInnerUp", "jawOpen"):
        assert takes[:, :, CHANNELS.index(name)].std(0).mean() > 0.02
    lids = [CHANNELS.index(name) for name in ("eyeSquintLeft", "eyeWideLeft")]
    assert takes[:, :, lids].std(0).mean() > 0.02
    assert takes.min() >= 0 and takes.max() <= 1


def test_a_closed_mouth_stays_closed():
    jaw = CHANNELS.index("jawOpen")
    for seed in range(10):
        assert not said(1.0, seed)[SPEECH[:, jaw] == 0][:, jaw].any()
