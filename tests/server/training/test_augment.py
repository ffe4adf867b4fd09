"""Augmentation: what it does to a sound must not move it in time, or the curves would no longer belong to it."""

import numpy as np
import pytest

from server.training import augment

VOICE = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
VOICE *= 0.2 * np.clip(np.sin(np.arange(32000) / 900), 0, 1)


def delay(changed: np.ndarray) -> int:
    """Samples by which a sound is later than VOICE."""
    spectrum = np.fft.rfft(changed, 1 << 16) * np.conj(np.fft.rfft(VOICE, 1 << 16))
    lag = int(np.fft.irfft(spectrum).argmax())
    return lag - (1 << 16) if lag > 1 << 15 else lag


@pytest.mark.parametrize("change", ["codec", "room", "equalise", "degrade"])
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
