"""Blinks: at a human rate, where phrases end, complete, the same for the same seed."""

import numpy as np
import pytest

from server.performance import prosody
from server.performance.layers import blinks

FPS = 25


def speech(*seconds: float) -> prosody.Voice:
    """Noise and silence in turn."""
    rng = np.random.default_rng(0)
    audio = [rng.normal(0, 0.1 if i % 2 == 0 else 1e-5, round(s * 16000)) for i, s in enumerate(seconds)]
    return prosody.measure(np.concatenate(audio).astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_is_human_and_no_blink_follows_at_once(seed):
    times = blinks.blink_times(speech(300.0), seed)
    assert 15 <= len(times) / 5 <= 26  # a minute
    assert np.diff(times).min() >= blinks.MIN_INTERVAL


def test_blinks_prefer_the_ends_of_phrases():
    line = speech(*[1.7, 0.5] * 60)
    ends = prosody.phrase_ends(line.level) + blinks.CLOSING
    times = blinks.blink_times(line, 3)
    at_end = np.abs(times[:, None] - ends).min(1) < 0.01
    assert at_end.mean() > 0.8


def test_lids_close_fully_and_fall_faster_than_they_rise():
    curve = blinks.lid_closure(np.array([1.013]), 50, FPS)
    assert curve.max() == 1 and curve[:22].max() == 0 and curve[35:].max() == 0
    top = np.flatnonzero(curve == 1)
    assert (curve[: top[0]] > 0).sum() < (curve[top[-1] + 1 :] > 0).sum()


def test_the_clip_begins_and_ends_with_open_eyes():
    line = speech(3.0)
    for seed in range(50):
        curve = blinks.lid_closure(blinks.blink_times(line, seed), 75, FPS)
        assert curve[-1] < 1e-6 and curve[0] < 0.1


@pytest.mark.parametrize("samples", [0, 100, 800])
def test_very_short_sound_has_no_blink(samples):
    assert len(blinks.blink_times(prosody.measure(np.ones(samples, np.float32)), 0)) == 0
