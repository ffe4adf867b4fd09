"""A fit finds the numbers of a known style, and leaves at the default what the recording does not show for sure."""

import numpy as np
import pytest

from server.arkit import CHANNELS, channel_indices
from server.performance.layers import blinks
from server.protocol.style_cards import NUMBERS, StyleCard
from server.style.fit import DEFAULT_BLINKS, DIFFERENCE, LIDS, Fit, Reference, Unit, fit, safe, units
from tests.server.style.performances import FPS, card, recorded, speech, voice

SECONDS = 24.0
# Each number is far from the others on the face.
KNOWN = {
    "first": {"rest__smile": 0.2, "timing__onset": 0.08, "sides__upper_lip": 0.3, "poses__pause_brows": 0.15},
    "second": {"amplitude__jaw_small": 0.65, "amplitude__jaw_large": 0.65},
    "third": {"visemes__round_jaw": 0.12, "amplitude__lips_small": -0.65, "amplitude__lips_large": -0.65},
    "fourth": {"timing__smoothing": 0.05},
}


def reference(face: np.ndarray, seconds: float = SECONDS, seed: int = 0) -> Reference:
    """The reference of a recording of `speech`."""
    curves = speech(seconds, seed)
    valid = np.ones(len(curves), bool)
    return Reference.of(curves, np.zeros_like(curves), voice(seconds), face, valid, face.std(0) > 0.02, FPS)


def take(known: StyleCard, seconds: float = SECONDS, seed: int = 0) -> Reference:
    """The reference of a recording in a known style."""
    return reference(recorded(speech(seconds, seed), known, voice(seconds), seed), seconds, seed)


def found(result: Fit, family: str, name: str) -> float:
    """A number of a fit."""
    return float(result.numbers[NUMBERS.index((family, name))])


def certain(key: str, value: float) -> float:
    """What is left of a number that a take shows."""
    family, name = key.split("__")
    return value - DIFFERENCE.get(name, DIFFERENCE.get(family, 0.0)) ** 2 / value


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    """Fits to the styles of KNOWN."""
    return {name: fit(take(card(**numbers))) for name, numbers in KNOWN.items()}


def test_an_actor_who_moves_as_the_model_does_has_no_style():
    result = fit(take(StyleCard()))
    assert not result.numbers.any()
    assert result.left_out["blinks"] == "not_moved" and result.left_out["amplitude"] == "no_gain"


@pytest.mark.parametrize(
    ("key", "tolerance"),
    [
        ("rest__smile", 0.02),
        ("timing__onset", 0.03),
        ("sides__upper_lip", 0.03),
        ("poses__pause_brows", 0.03),
        ("amplitude__jaw_small", 0.1),
        ("amplitude__jaw_large", 0.1),
        ("timing__smoothing", 0.015),
        ("visemes__round_jaw", 0.03),
        ("amplitude__lips_small", 0.1),
        ("amplitude__lips_large", 0.1),
    ],
)
def test_numbers_of_a_known_style_are_found(fits, key, tolerance):
    style = next(name for name, numbers in KNOWN.items() if key in numbers)
    wanted = certain(key, KNOWN[style][key])
    assert found(fits[style], *key.split("__")) == pytest.approx(wanted, abs=tolerance)


def test_the_same_reference_gives_the_same_bits(fits):
    assert fit(take(card(**KNOWN["second"]))).numbers.tobytes() == fits["second"].numbers.tobytes()


def unit(family: str, name: str) -> Unit:
    """The unit of a number."""
    return next(unit for unit in units() if unit.family == family and name in unit.names)


def test_what_another_take_may_lack_is_taken_off():
    jaw = unit("amplitude", "jaw_small")
    np.testing.assert_allclose(safe(jaw, np.array([0.6, -0.6])), [0.45, -0.45])  # .6 - .3² / .6
    np.testing.assert_allclose(safe(jaw, np.array([0.25, 9.0])), [0.0, 0.7 - 0.09 / 0.7])
    for family, name in (("amplitude", "rounding_small"), ("rest", "pucker")):
        assert not safe(unit(family, name), np.array([0.3])).any()
    squint = unit("rest", "squint")
    for shown in np.linspace(0.11, 0.3, 9):
        applied, another = safe(squint, np.array([shown]))[0], shown - DIFFERENCE["rest"]
        assert (another - applied) ** 2 <= another**2


def test_a_number_that_differs_from_take_to_take_is_not_used():
    """The takes agree about the smile; the jaw opens farther in one and less in the other."""
    one, other = card(rest__smile=0.2, amplitude__jaw_large=0.6), card(rest__smile=0.2, amplitude__jaw_large=-0.6)
    takes = [take(one, 16.0, 1), take(other, 16.0, 2)]
    alone, both = fit(takes[0]), fit(Reference.joined(takes))
    assert found(alone, "amplitude", "jaw_large") > 0.3 and found(both, "amplitude", "jaw_large") == 0
    wanted = 0.2 - 0.1**2 / 0.2
    assert found(both, "rest", "smile") == pytest.approx(wanted, abs=0.02)


def test_joined_takes_stay_apart():
    takes = [take(StyleCard(), 10.0, 1), take(StyleCard(), 10.0, 2)]
    takes[0].moved[:], takes[1].moved[:] = False, True
    both = Reference.joined(takes)
    assert both.takes == 2 and both.moved.all() and len(both.speech) == len(both.valid) == len(both.cues.pause) == 500
    assert np.flatnonzero(np.diff(both.take)).tolist() == [249] and takes[0].takes == 1
    np.testing.assert_array_equal(both.recorded[250:], takes[1].recorded)


def test_lips_that_are_pushed_out_are_no_style():
    """A calibration does that, too: it must not come back as a pucker of pauses or of round vowels."""
    face = recorded(speech(SECONDS), card(rest__smile=0.2), voice(SECONDS))
    noise = 0.03 * np.random.default_rng(0).standard_normal((len(face), 1))
    face[:, channel_indices("mouthPucker")] = 0.15 + noise
    result = fit(reference(face))
    pushing = [n for n, v in zip(NUMBERS, result.numbers, strict=True) if v < 0 and "corners" in n[1]]
    assert not pushing and found(result, "rest", "pucker") == 0 and found(result, "rest", "smile") > 0.1


def test_channels_that_do_not_move_stay_at_the_default():
    face = recorded(speech(SECONDS), card(amplitude__jaw_large=0.6, amplitude__brows_large=0.6), voice(SECONDS))
    face[:, [i for i, c in enumerate(CHANNELS) if c.startswith("brow")]] = 0
    result = fit(reference(face))
    assert found(result, "amplitude", "jaw_large") > 0.2 and found(result, "amplitude", "brows_large") == 0
    assert found(result, "rest", "brow_raise") == 0 and found(result, "poses", "pause_brows") == 0


def test_a_recording_of_other_speech_gives_no_style():
    """Its mouth has the same habits, but nothing of it follows this sound: a gain would only make it small."""
    result = fit(reference(speech(SECONDS, seed=5)))
    assert not [n for n, v in zip(NUMBERS, result.numbers, strict=True) if n[0] == "amplitude" and v]


def test_a_short_recording_is_not_enough():
    result = fit(take(card(rest__smile=0.2), 5.0))
    assert not result.numbers.any() and "too_short" in result.left_out.values()


@pytest.mark.parametrize("rate", [1.0, 2.5])
def test_blinks_are_counted(rate):
    seconds = 120.0
    times = np.arange(1.0, seconds - 1, 1 / (rate * DEFAULT_BLINKS))
    face = np.zeros((int(seconds * FPS), 52), np.float32)
    face[:, channel_indices("eyeBlink")] = blinks.lid_closure(times, len(face), FPS)[:, None]
    assert np.flatnonzero(face.std(0)).tolist() == sorted(LIDS)
    wanted = certain("blinks__rate", np.log(rate)) if rate > 1 else 0
    assert found(fit(reference(face, seconds)), "blinks", "rate") == pytest.approx(wanted, abs=0.1)
