"""The lag between a sound and a recording is found, and a recording of other speech is refused."""

import numpy as np
import pytest

from server.errors import LSFError
from server.style.match import MAX_LAG, match
from tests.server.style.performances import FPS, speech


def shifted(curves: np.ndarray, seconds: float) -> np.ndarray:
    """The curves, later by a time."""
    times = np.arange(len(curves)) / FPS
    return np.stack([np.interp(times - seconds, times, c) for c in curves.T], 1).astype(np.float32)


@pytest.mark.parametrize("lag", [-0.28, -0.1, 0.0, 0.05, 0.28])
def test_a_lag_is_found(lag):
    curves = speech(30)
    rng = np.random.default_rng(0)
    noisy = (shifted(curves, lag) + 0.02 * rng.standard_normal(curves.shape)).clip(0, 1)
    found = match(curves, noisy, np.ones(len(curves), bool), FPS)
    found.check()
    assert found.lag == pytest.approx(lag, abs=0.012) and abs(found.lag) <= MAX_LAG


def test_other_speech_is_refused():
    valid = np.ones(750, bool)
    for seed in range(1, 6):
        with pytest.raises(LSFError, match="does not seem to belong"):
            match(speech(30), speech(30, seed), valid, FPS).check()


def test_a_recording_that_is_much_later_is_refused_with_the_time():
    with pytest.raises(LSFError, match=r"2\.0 s later"):
        match(speech(30), shifted(speech(30), 2.0), np.ones(750, bool), FPS).check()


def test_a_still_face_is_refused():
    for valid in (np.ones(750, bool), np.zeros(750, bool)):
        with pytest.raises(LSFError) as refusal:
            match(speech(30), np.zeros((750, 52), np.float32), valid, FPS).check()
        assert refusal.value.code == "wrong_recording"
