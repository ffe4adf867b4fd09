"""Scores of people whom the teachers never saw, on made-up lips."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from server.files.audio import SAMPLE_RATE
from server.training import FPS, corpora
from server.training.evaluation.people import LipMatch
from server.training.labels import leave_one_out, phone_rules, teachers


def line(seconds: float) -> tuple[corpora.Clip, np.ndarray]:
    """A clip with random lips, and noise that begins after 0.4 s."""
    rng = np.random.default_rng(1)
    audio = 0.1 * rng.standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    audio[: round(0.4 * SAMPLE_RATE)] = 0
    lips = rng.random((round(seconds * FPS), 2)).astype(np.float32)
    return corpora.Clip("people", "one", "one", Path("one.flac"), "test", lips=lips), audio


def test_a_long_clip_is_scored_in_windows_at_their_own_places():
    clip, audio = line(25)
    perfect = leave_one_out.windows(clip, audio, clip.lips)
    assert [round(m.whole, 4) for m in perfect] == [1, 1] and all(m.lag_ms == 0 for m in perfect)
    spoiled = clip.lips.copy()
    spoiled[leave_one_out.WINDOW :] = np.random.default_rng(2).random(spoiled[leave_one_out.WINDOW :].shape)
    good, bad = leave_one_out.windows(clip, audio, spoiled)
    assert good.whole > 0.999 and abs(bad.whole) < 0.3


def test_a_short_clip_is_one_window_and_untracked_frames_do_not_count():
    clip, audio = line(3)
    predicted = clip.lips.copy()
    predicted[40:50] = 5.0
    (spoiled,) = leave_one_out.windows(clip, audio, predicted)
    valid = np.ones(75, bool)
    valid[40:50] = False
    (clean,) = leave_one_out.windows(corpora.Clip(**{**vars(clip), "valid": valid}), audio, predicted)
    assert spoiled.whole < 0.5 and clean.whole > 0.999 and clean.speech > 0.999


def test_nobody_is_scored_by_teachers_that_saw_this_person():
    people = [teachers.Person(name, [], []) for name in ("a", "b", "c")]
    others, known = leave_one_out.without(people, "b")
    assert [p.name for p in others] == ["a", "c"] and not known
    assert leave_one_out.without(people, "stranger") == (people, False)
    assert leave_one_out.without(people[:1], "a") == (people[:1], True)


def test_the_table_has_the_median_and_the_range_of_several_people():
    found = {
        name: ("people, left out", {"linear": LipMatch(r, r - 0.1, 0.5, lag)})
        for name, r, lag in (("a", 0.7, -20), ("b", 0.8, 0), ("c", 0.95, 10))
    } | {"d": ("grid, known", {"linear": LipMatch(0.9, 0.85, 0.6, 0)})}
    head, _, row = leave_one_out.table(found)
    assert head == "| | people, left out (3) | grid, known (1) |"
    assert "0.800 [0.70-0.95] / 0.700 [0.60-0.85] / 0.500 [0.50-0.50], +0" in row
    assert "0.900 / 0.850 / 0.600, +0" in row


def test_the_phones_of_people_are_found_once_and_kept_as_utf_8_whatever_the_locale(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "text_encoding", lambda encoding, stacklevel=2: encoding or "ascii")
    aligned = corpora.Clip("people", "one", "one", Path("one.flac"), "test", phones=[("ʃ", 0.0, 0.5)])
    monkeypatch.setattr(leave_one_out, "aligned_people", lambda model, data: [aligned])
    assert leave_one_out.people_phones(tmp_path, tmp_path, None)["one"] == [["ʃ", 0.0, 0.5]]
    monkeypatch.setattr(leave_one_out, "aligned_people", lambda model, data: pytest.fail("aligned again"))
    assert leave_one_out.people_phones(tmp_path, tmp_path, None) == {"one": [["ʃ", 0.0, 0.5]]}


class Deaf(teachers.Ensemble):
    """Hears a mouth that is always alike."""

    def __init__(self):
        super().__init__([])

    def predict(self, states):
        return torch.ones(len(states), teachers.OUTPUTS)


def test_labels_are_scored_with_each_rest_if_the_phones_are_known(monkeypatch):
    clip, audio = line(2)
    used = []

    def perfect(labeller, tests):
        used.append((labeller.rest_before, labeller.rest_after, len(labeller.rules)))
        return [test.clip.lips for test in tests]

    monkeypatch.setattr(leave_one_out, "labelled_lips", perfect)
    states = np.zeros((len(clip.lips), 1))
    unknown = leave_one_out.scores([leave_one_out.ScoredClip(clip, states, audio)], Deaf(), None)
    assert set(unknown) == {"log energy", "mean of the teachers"} and not used
    known = dataclasses.replace(clip, phones=[("ɑ", 0.4, 2.0)])
    found = leave_one_out.scores([leave_one_out.ScoredClip(known, states, audio)], Deaf(), None)
    labels = [match for name, match in found.items() if name.startswith("labels")]
    assert len(labels) == len(leave_one_out.RESTS) + 1 and all(match.whole > 0.999 for match in labels)
    assert used == [(np.inf, np.inf, 0), *[(*rest, len(phone_rules.RULES)) for rest in leave_one_out.RESTS]]


def test_log_energy_rises_with_the_sound():
    clip, audio = line(2)
    energy = leave_one_out.log_energy(leave_one_out.ScoredClip(clip, np.zeros((50, 1)), audio))
    assert energy.shape == (50, 2) and energy[5, 0] < energy[30, 0] - 5


def test_the_median_of_clips():
    found = leave_one_out.median_match([LipMatch(0.1, 0.2, 0.3, 10), LipMatch(0.5, 0.6, 0.7, 20), LipMatch(1, 1, 1, 0)])
    assert (found.whole, found.speech, found.width, found.lag_ms) == pytest.approx((0.5, 0.6, 0.7, 10))
