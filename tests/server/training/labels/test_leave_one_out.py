"""Scores of people whom the teachers never saw, on made-up lips."""

from pathlib import Path

import numpy as np
import pytest

from server.files.audio import SAMPLE_RATE
from server.training import FPS, corpora
from server.training.evaluation.people import LipMatch
from server.training.labels import leave_one_out, teachers


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


def test_an_articulation_model_of_the_other_face_labels_a_face(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(leave_one_out.corpora, "read", lambda corpus, data: trained.append(corpus) or [])
    monkeypatch.setattr(leave_one_out.align, "with_phones", lambda clips, work: clips)
    monkeypatch.setattr(leave_one_out.teachers, "tracked_curves", lambda face, clips, head: {})
    monkeypatch.setattr(
        leave_one_out.articulation,
        "train",
        lambda faces, head: leave_one_out.articulation.Articulation(len(faces)),
    )
    assert leave_one_out.phone_model("grid", tmp_path, tmp_path, None).faces.num_embeddings == 1
    assert trained == ["facegood"]
    assert leave_one_out.phone_model("people", tmp_path, tmp_path, None).faces.num_embeddings == 2
    assert trained == ["facegood", "grid", "facegood"]
    leave_one_out.phone_model("grid", tmp_path, tmp_path, None)
    assert len(trained) == 3  # kept


def test_log_energy_rises_with_the_sound():
    clip, audio = line(2)
    energy = leave_one_out.log_energy(leave_one_out.ScoredClip(clip, np.zeros((50, 1)), audio))
    assert energy.shape == (50, 2) and energy[5, 0] < energy[30, 0] - 5


def test_the_median_of_clips():
    found = leave_one_out.median_match([LipMatch(0.1, 0.2, 0.3, 10), LipMatch(0.5, 0.6, 0.7, 20), LipMatch(1, 1, 1, 0)])
    assert (found.whole, found.speech, found.width, found.lag_ms) == pytest.approx((0.5, 0.6, 0.7, 10))
