"""Loudness and opening: what is louder opens wider, whatever the recording's level; closed lips stay closed."""

import numpy as np

from server.arkit import CHANNELS
from server.files.audio import SAMPLE_RATE
from server.performance import lip_contact
from server.training import FPS
from server.training.labels import vocal_effort


def line() -> tuple[np.ndarray, np.ndarray]:
    """Four seconds whose second half is 12 dB louder, and curves that open alike in both, with a closure in each."""
    rng = np.random.default_rng(0)
    audio = 0.05 * rng.standard_normal(4 * SAMPLE_RATE).astype(np.float32)
    audio[2 * SAMPLE_RATE :] *= 4
    speech = np.zeros((4 * FPS, len(CHANNELS)), np.float32)
    speech[:, CHANNELS.index("jawOpen")] = 0.3
    speech[:, CHANNELS.index("mouthPucker")] = 0.2
    speech[[20, 70]] = 0
    return audio, speech


def test_the_louder_half_opens_wider_and_round_lips_stay_as_they_are():
    audio, speech = line()
    scaled = vocal_effort.scale_opening_by_loudness(speech, audio)
    quiet, loud = lip_contact.opening(scaled)[10], lip_contact.opening(scaled)[90]
    assert quiet < lip_contact.opening(speech)[10] < loud
    assert abs(20 * np.log10(loud / quiet) - 12 * vocal_effort.OPENING_GAIN) < 0.3
    assert (scaled[[20, 70]] == 0).all() and scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled[:, CHANNELS.index("mouthPucker")], speech[:, CHANNELS.index("mouthPucker")])


def test_a_quiet_recording_opens_as_a_loud_one():
    audio, speech = line()
    np.testing.assert_allclose(
        vocal_effort.scale_opening_by_loudness(speech, audio / 30),
        vocal_effort.scale_opening_by_loudness(speech, audio),
        atol=1e-4,
    )


def test_silence_and_a_still_mouth_are_left_alone():
    audio, speech = line()
    np.testing.assert_allclose(vocal_effort.scale_opening_by_loudness(speech, 0 * audio), speech, atol=1e-6)
    still = np.zeros_like(speech)
    np.testing.assert_array_equal(vocal_effort.scale_opening_by_loudness(still, audio), still)
