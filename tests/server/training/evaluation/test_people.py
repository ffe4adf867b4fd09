"""Lips of tracked people, on made-up curves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.training.corpora import Clip
from server.training.evaluation.people import LipMatch, loud_span, match_lips, summary
from server.training.evaluation.spread import Spread

FRAMES, HOP = 75, 640


def person(lips, valid=None):
    return Clip("people", "a", "a", Path("a.flac"), "test", lips=lips, valid=valid)


def speech(first, last):
    """Audio of 75 frames that is loud from frame `first` to frame `last`."""
    audio = 1e-4 * np.random.default_rng(0).standard_normal(FRAMES * HOP)
    audio[first * HOP : (last + 1) * HOP] *= 1000
    return audio.astype(np.float32)


def smooth(seed):
    noise = np.random.default_rng(seed).standard_normal(FRAMES + 8)
    return np.convolve(noise, np.hanning(11)[1:-1], "valid")


@pytest.fixture
def lips():
    return np.stack([smooth(1), smooth(2)], 1)


def test_speech_is_from_the_first_to_the_last_loud_frame_with_one_more_on_each_side():
    audio = speech(20, 50)
    audio[30 * HOP : 40 * HOP] = 0  # a pause inside
    assert np.flatnonzero(loud_span(audio, FRAMES)).tolist() == list(range(19, 52))


def test_lips_in_other_units_agree_and_a_late_prediction_has_a_positive_lag(lips):
    perfect = match_lips(person(lips), speech(20, 50), 3 + 0.01 * lips)
    assert (perfect.whole, perfect.speech, perfect.width) == pytest.approx((1, 1, 1)) and perfect.lag_ms == 0
    late = match_lips(person(lips), speech(20, 50), np.concatenate([lips[:1], lips[:1], lips[:-2]]))
    assert late.lag_ms == 80 and late.whole < 0.9


def test_speech_is_scored_apart_from_silence(lips):
    predicted = lips.copy()
    predicted[52:] = predicted[51:52]  # wrong where nobody speaks
    match = match_lips(person(lips), speech(20, 50), predicted)
    assert match.speech == pytest.approx(1) and match.whole < 0.95


def test_speech_is_between_the_phones_where_they_are_known(lips):
    predicted = lips.copy()
    predicted[:10] = 0
    known = replace(person(lips), phones=[("", 0.0, 0.8), ("ɑ", 0.8, 2.0), ("", 2.0, 3.0)])
    loud_everywhere = speech(0, 74)
    assert match_lips(person(lips), loud_everywhere, predicted).speech < 0.99
    assert match_lips(known, loud_everywhere, predicted).speech == pytest.approx(1)


def test_frames_that_were_not_tracked_do_not_count(lips):
    valid = np.arange(FRAMES) < 60
    wrong = lips.copy()
    wrong[60:] = 100
    match = match_lips(person(wrong, valid), speech(20, 50), lips)
    assert match.whole == pytest.approx(1) and match.width == pytest.approx(1)


def test_a_short_prediction_holds_its_last_frame(lips):
    held = lips.copy()
    held[70:] = held[69]
    assert match_lips(person(held), speech(20, 50), held[:70]).whole == pytest.approx(1)


def test_the_summary_is_median_and_range_over_people():
    report = summary([LipMatch(0.5, 0.4, 0.1, -20), LipMatch(0.9, 0.8, 0.3, 10), LipMatch(0.7, 0.9, 0.2, 0)])
    assert report["aperture_r"] == Spread(0.7, 0.5, 0.9, 3)
    assert report["aperture_r_speech"] == Spread(0.8, 0.4, 0.9, 3)
    assert report["lag_ms"] == Spread(0, -20, 10, 3)
