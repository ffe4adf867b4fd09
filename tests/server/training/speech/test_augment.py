"""Augmentation: what it does to a sound must not move it in time, or the curves would no longer belong to it."""

import numpy as np
import pytest

from server.training.speech import augment

VOICE = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
VOICE *= 0.2 * np.clip(np.sin(np.arange(32000) / 900), 0, 1)


def delay(changed: np.ndarray) -> int:
    """Samples by which a sound is later than VOICE."""
    spectrum = np.fft.rfft(changed, 1 << 16) * np.conj(np.fft.rfft(VOICE, 1 << 16))
    lag = int(np.fft.irfft(spectrum).argmax())
    return lag - (1 << 16) if lag > 1 << 15 else lag


@pytest.mark.parametrize("change", ["codec", "reverberate", "equalise", "degrade"])
def test_nothing_is_late(change):
    for seed in range(6):
        changed = getattr(augment, change)(VOICE, np.random.default_rng(seed))
        assert changed.shape == VOICE.shape and np.isfinite(changed).all()
        assert abs(delay(changed)) <= 32  # 2 ms


def test_music_and_noise_have_unit_variance_and_a_seed_repeats_itself():
    for make in (augment.music, augment.noise):
        sound = make(48000, np.random.default_rng(3))
        assert abs(sound.std() - 1) < 1e-6
        np.testing.assert_array_equal(sound, make(48000, np.random.default_rng(3)))


def test_anconvert_voice_says_the_same_at_the_same_time():
    pytest.importorskip("pyworld")
    t = np.arange(32000) / 16000
    sung = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 20)) * np.clip(np.sin(2 * np.pi * t), 0, 1)
    sung = (0.1 * sung).astype(np.float32)
    level = np.convolve(sung**2, np.ones(1600), "same")
    for seed in range(4):
        changed = augment.convert_voice(sung, np.random.default_rng(seed))
        assert changed.shape == sung.shape and np.isfinite(changed).all()
        assert np.corrcoef(np.convolve(changed**2, np.ones(1600), "same"), level)[0, 1] > 0.8
        spectrum = np.abs(np.fft.rfft(changed)) - np.abs(np.fft.rfft(sung))
        assert np.abs(spectrum).max() > 0.2 * np.abs(np.fft.rfft(sung)).max()


def test_quiet_is_far_below_the_voice():
    sound = augment.background_noise(VOICE, 16000, np.random.default_rng(0))
    assert sound.shape == (16000,) and 1e-4 < sound.std() / VOICE.std() < 0.02
