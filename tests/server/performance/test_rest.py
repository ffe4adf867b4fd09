"""The mouth rests in the pauses inside of a line."""

import numpy as np
import pytest

from server.performance import prosody, rest

RATE, FPS = 16000, 25


def line(*spans: tuple[float, float], seconds: float = 4.0, noise: float = 0.0) -> np.ndarray:
    """A buzz in the given spans of seconds."""
    t = np.arange(int(seconds * RATE)) / RATE
    buzz = 0.2 * np.sign(np.sin(2 * np.pi * 130 * t)) * sum((t >= a) & (t < b) for a, b in spans)
    return (buzz + noise * np.random.default_rng(0).standard_normal(len(t))).astype(np.float32)


def weight(audio: np.ndarray) -> np.ndarray:
    return rest.pause_weight(prosody.loudness(audio), round(len(audio) / RATE * FPS), FPS)


def test_the_mouth_closes_in_a_pause_and_is_half_open_at_the_next_sound():
    found = weight(line((0.4, 1.2), (2.0, 3.2)))
    assert found[: round(1.2 * FPS)].min() == 1 and found[round(2.1 * FPS) :].min() == 1
    assert found[round(1.32 * FPS) : round(1.92 * FPS)].max() == 0
    assert found[2 * FPS] == pytest.approx(0.5, abs=0.15)


def test_silence_before_and_after_the_line_is_left_to_the_network():
    assert weight(line((1.0, 2.5))).min() == 1


def test_short_gaps_and_noise_leave_the_mouth_alone():
    assert weight(line((0.4, 1.2), (1.45, 3.2))).min() == 1
    assert weight(line((0.4, 1.2), (2.0, 3.2), noise=0.02)).min() == 1


def test_curves_are_scaled_and_keep_their_type():
    audio = line((0.4, 1.2), (2.0, 3.2))
    speech = np.full((100, 52), 0.5, np.float32)
    resting = rest.rest_in_pauses(speech, prosody.loudness(audio), FPS)
    assert resting.dtype == np.float32 and resting[40].max() == 0 and (resting[20] == 0.5).all()


@pytest.mark.parametrize("samples", [0, 1, 200, 5000])
def test_very_short_sound(samples):
    audio = np.zeros(samples, np.float32)
    assert rest.pause_weight(prosody.loudness(audio), 3, FPS).tolist() == [1, 1, 1]
