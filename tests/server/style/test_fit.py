"""A fit finds the numbers of a known style, and leaves at the default what the recording does not show."""

import numpy as np
import pytest

from server.arkit import CHANNELS, channel_indices
from server.performance.layers import blinks
from server.protocol.style_cards import NUMBERS, StyleCard
from server.style.fit import DEFAULT_BLINKS, Fit, Reference, fit
from tests.server.style.performances import FPS, card, recorded, speech, voice

SECONDS = 30.0


def reference(face: np.ndarray, seconds: float = SECONDS) -> Reference:
    """The reference of a recording of `speech`."""
    curves = speech(seconds)
    valid = np.ones(len(curves), bool)
    return Reference.of(curves, np.zeros_like(curves), voice(seconds), face, valid, face.std(0) > 0.02, FPS)


def fitted(known: StyleCard, seconds: float = SECONDS) -> Fit:
    """The fit to a recording in a known style."""
    return fit(reference(recorded(speech(seconds), known, voice(seconds)), seconds))


def found(result: Fit, family: str, name: str) -> float:
    """A number of a fit."""
    return float(result.numbers[NUMBERS.index((family, name))])


def test_an_actor_who_moves_as_the_model_does_has_no_style():
    result = fitted(StyleCard())
    for (family, name), number in zip(NUMBERS, result.numbers, strict=True):  # a gain is a logarithm
        assert abs(number) < (0.15 if family == "amplitude" else 0.03), (family, name)
    assert result.left_out["blinks"] == "not_moved"


@pytest.mark.parametrize(
    ("known", "tolerance"),
    [
        ({"rest__smile": 0.12}, 0.02),
        ({"amplitude__jaw_small": 0.3, "amplitude__jaw_large": 0.3}, 0.08),
        ({"amplitude__lips_small": -0.3, "amplitude__lips_large": -0.3}, 0.1),
        ({"timing__onset": 0.08}, 0.03),
        ({"timing__smoothing": 0.05}, 0.015),
        ({"visemes__round_jaw": 0.1}, 0.03),
        ({"poses__pause_brows": 0.15}, 0.03),
        ({"sides__upper_lip": 0.3}, 0.03),
    ],
)
def test_numbers_of_a_known_style_are_found(known, tolerance):
    result = fitted(card(**known))
    for key, value in known.items():
        assert found(result, *key.split("__")) == pytest.approx(value, abs=tolerance), key


def test_the_same_reference_gives_the_same_bits():
    known = card(rest__smile=0.1, amplitude__jaw_large=0.4)
    assert fitted(known, 20).numbers.tobytes() == fitted(known, 20).numbers.tobytes()


def test_channels_that_do_not_move_stay_at_the_default():
    face = recorded(speech(SECONDS), card(amplitude__jaw_large=0.4, amplitude__brows_large=0.4), voice(SECONDS))
    face[:, [i for i, c in enumerate(CHANNELS) if c.startswith("brow")]] = 0
    result = fit(reference(face))
    assert found(result, "amplitude", "jaw_large") > 0.2 and found(result, "amplitude", "brows_large") == 0
    assert found(result, "rest", "brow_raise") == 0 and found(result, "poses", "pause_brows") == 0


def test_a_recording_of_other_speech_gives_no_style():
    """Its mouth has the same habits, but nothing of it follows this sound: a gain would only make it small."""
    result = fit(reference(speech(SECONDS, seed=5)))
    assert not [n for n, v in zip(NUMBERS, result.numbers, strict=True) if n[0] == "amplitude" and v]


def test_a_short_recording_is_not_enough():
    result = fitted(card(rest__smile=0.2), 5.0)
    assert not result.numbers.any() and "too_short" in result.left_out.values()


@pytest.mark.parametrize("rate", [1.0, 2.5])
def test_blinks_are_counted(rate):
    seconds = 120.0
    face = recorded(speech(seconds), StyleCard(), voice(seconds))
    times = np.arange(1.0, seconds - 1, 1 / (rate * DEFAULT_BLINKS))
    face[:, channel_indices("eyeBlink")] = blinks.lid_closure(times, len(face), FPS)[:, None]
    result = fit(reference(face, seconds))
    assert found(result, "blinks", "rate") == pytest.approx(np.log(rate), abs=0.1)
