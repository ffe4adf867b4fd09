"""Forced alignment on features made up here."""

from itertools import pairwise

import numpy as np
import pytest

from server.training.speech import align

SYMBOLS = ["", "a", "m", "s", "u"]


def features_of(durations: list[tuple[str, int]], rng: np.random.Generator) -> np.ndarray:
    """Features of symbols that last so many frames at 50 Hz: a direction for each, and noise."""
    directions = np.random.default_rng(0).standard_normal((len(SYMBOLS), align.SIZE))
    rows = np.concatenate([np.repeat(directions[[SYMBOLS.index(symbol)]], count, 0) for symbol, count in durations])
    return (rows + rng.standard_normal(rows.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    clips = []
    for _ in range(40):
        durations = [(str(rng.choice(SYMBOLS)), int(rng.integers(3, 12))) for _ in range(20)]
        clips.append((features_of(durations, rng), [symbol for symbol, count in durations for _ in range(count)]))
    return align.train(clips, steps=60)


def check(model, durations: list[tuple[str, int]], text: list[str]):
    """Align a text; the phones must come back with their times, to a frame."""
    found = align.align(model, features_of(durations, np.random.default_rng(2)), text)
    assert [symbol for symbol, _, _ in found] == [symbol for symbol, _ in durations]
    ends = np.cumsum([count for _, count in durations]) - 0.5
    assert np.allclose([end for _, _, end in found], ends / align.FEATURE_RATE, atol=1 / align.FEATURE_RATE)
    assert all(a[2] == b[1] for a, b in pairwise(found)) and found[0][1] == 0


def test_phones_come_back_with_their_times(model):
    check(model, [("", 20), ("m", 6), ("a", 9), ("s", 5), ("u", 8), ("", 12)], ["m", "a", "s", "u", ""])


def test_a_pause_is_made_only_where_there_is_one(model):
    check(model, [("", 9), ("m", 6), ("a", 9), ("", 15), ("s", 5), ("u", 8)], ["m", "a", "", "s", "u", ""])
    check(model, [("", 9), ("m", 6), ("a", 9), ("s", 5), ("u", 8)], ["m", "a", "", "s", "u", ""])


def test_a_clip_may_end_in_the_middle_of_its_text(model):
    check(model, [("", 9), ("m", 6), ("a", 9), ("s", 6)], ["m", "a", "s", "u", "", "m", "a", "m", "a", ""])


def test_the_same_phone_twice_is_two_phones(model):
    check(model, [("", 9), ("a", 8), ("m", 8), ("a", 8)], ["a", "m", "a"])
    found = align.align(model, features_of([("", 9), ("m", 12), ("a", 8)], np.random.default_rng(3)), ["m", "m", "a"])
    assert [symbol for symbol, _, _ in found] == ["", "m", "m", "a"]


def test_a_phone_that_was_never_heard_is_taken_for_its_neighbour(model):
    assert SYMBOLS[align.nearest_symbol("b", SYMBOLS)] == "m"
    assert SYMBOLS[align.nearest_symbol("y", SYMBOLS)] == "u"


def test_agreement_tells_a_wrong_text(model):
    sound = features_of([("", 9), ("m", 6), ("a", 9), ("s", 5), ("u", 8), ("", 12)], np.random.default_rng(4))
    right = align.align(model, sound, ["m", "a", "s", "u", ""])
    wrong = align.align(model, sound, ["s", "m", "m", "s", "a", "a", ""])
    assert align.agreement(model, sound, right) > 0.8 > align.agreement(model, sound, wrong)


def test_symbols_at_times():
    phones = [("", 0.0, 0.2), ("m", 0.2, 0.3), ("a", 0.4, 0.5)]
    assert align.symbols_at(phones, np.array([0.1, 0.2, 0.35, 0.4, 0.6])) == ["", "m", "", "a", ""]
