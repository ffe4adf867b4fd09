"""Vocal bursts: the mouth opens with the voice, pulses with a laugh and rests in silence, whatever the level."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.files.audio import SAMPLE_RATE
from server.training import FPS
from server.training.labels import bursts, lips

HEAD = lips.load_lips()


def voice(seconds: float, highest: int = 4000) -> np.ndarray:
    """A buzz of 200 Hz with harmonics up to `highest` Hz."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.1 * np.sum([np.sin(2 * np.pi * f * times) for f in range(200, highest + 1, 200)], 0) / 4


def aperture(audio: np.ndarray) -> np.ndarray:
    curves = bursts.burst_curves(audio.astype(np.float32), HEAD)
    assert curves.shape == (int(len(audio) / SAMPLE_RATE * FPS), len(CHANNELS)) and curves.dtype == np.float32
    assert curves.min() >= 0 and curves.max() <= 1
    return HEAD(bursts.torch.from_numpy(curves)).numpy()[:, 0]


def test_a_laugh_pulses_and_the_mouth_rests_before_and_after_it():
    pulses = np.concatenate([np.concatenate([voice(0.12), np.zeros(int(0.12 * SAMPLE_RATE))]) for _ in range(5)])
    sound = np.concatenate([np.zeros(SAMPLE_RATE), pulses, np.zeros(SAMPLE_RATE)])
    opened = aperture(sound + 1e-4 * np.random.default_rng(0).standard_normal(len(sound)))
    assert opened[: FPS - 3].max() < 0.0005 and opened[-FPS + 5 :].max() < 0.0005
    laugh = opened[FPS : FPS + 30]
    peaks = (laugh[1:-1] > laugh[:-2]) & (laugh[1:-1] >= laugh[2:])
    assert peaks.sum() == 5 and laugh.max() > 0.006


def test_level_does_not_matter_and_a_cry_opens_about_as_wide_as_the_widest_vowel():
    cry = np.concatenate([voice(1), np.zeros(SAMPLE_RATE)])
    assert aperture(cry) == pytest.approx(aperture(0.05 * cry), abs=1e-5)
    assert 0.8 * bursts.WIDEST < aperture(cry)[10] < 1.1 * bursts.WIDEST


def test_a_hum_opens_less_than_a_cry():
    assert aperture(voice(1, highest=400))[10] < 0.5 * aperture(voice(1))[10]


@pytest.mark.parametrize("sound", [np.zeros(SAMPLE_RATE), np.zeros(100), np.zeros(0)])
def test_silence_and_very_short_sound_rest(sound):
    assert not bursts.burst_curves(sound.astype(np.float32), HEAD).any()
