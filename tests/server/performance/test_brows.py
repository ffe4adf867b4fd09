"""Brows rise on louder and higher syllables, and are still without speech."""

import numpy as np

from server.arkit import CHANNELS
from server.files.audio import SAMPLE_RATE
from server.performance import brows, prosody

FPS = 25


def line(gain: float = 1.0) -> prosody.Voice:
    """A line of 2 s with a voice from 0.4 s to 1.6 s, which is louder and a fifth higher from 0.8 s to 1.1 s."""
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    stressed = (times > 0.8) & (times < 1.1)
    phase = np.cumsum(2 * np.pi * 140 * np.where(stressed, 1.5, 1.0)) / SAMPLE_RATE
    audio = np.sign(np.sin(phase)) * np.where(stressed, 0.4, 0.08) * (times > 0.4) * (times < 1.6)
    return prosody.measure((gain * audio).astype(np.float32))


def test_brows_rise_with_prominence_and_the_mouth_does_not_change():
    curves = brows.brow_prominence(line(), np.ones(2 * FPS), FPS)
    brow = curves[:, CHANNELS.index("browInnerUp")]
    assert curves.shape == (50, 52) and curves.dtype == np.float32 and curves.min() >= 0 and curves.max() <= 1
    assert 20 <= brow.argmax() <= 30 and brow.max() > 0.2 > 5 * brow[:9].max()
    moved = {CHANNELS[i] for i in np.flatnonzero(curves.any(0))}
    assert moved == {"browInnerUp", "browOuterUpLeft", "browOuterUpRight", "eyeWideLeft", "eyeWideRight"}


def test_the_level_of_the_recording_does_not_matter():
    quiet, loud = (brows.brow_prominence(line(gain), np.ones(2 * FPS), FPS) for gain in (1 / 30, 1))
    np.testing.assert_allclose(quiet, loud, atol=1e-3)


def test_without_speech_activity_the_brows_are_still():
    assert not brows.brow_prominence(line(), np.zeros(2 * FPS), FPS).any()


def test_another_frame_rate_shows_the_same():
    brow = CHANNELS.index("browInnerUp")
    at_25 = brows.brow_prominence(line(), np.ones(2 * FPS), FPS)[:, brow]
    at_50 = brows.brow_prominence(line(), np.ones(4 * FPS), 2 * FPS)[::2, brow]
    assert at_25.max() > 0.2
    np.testing.assert_allclose(at_25, at_50, atol=0.1)
