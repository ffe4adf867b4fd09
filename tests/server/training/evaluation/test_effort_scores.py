"""Spectral tilt and speed of the lips, on made-up sound."""

import numpy as np
import pytest

from server.training import FPS
from server.training.evaluation import effort_scores
from server.training.evaluation.effort_scores import lip_speed, spectral_tilt

TIMES = np.arange(32000) / 16000


def voice(high_gain):
    return (np.sin(2 * np.pi * 500 * TIMES) + high_gain * np.sin(2 * np.pi * 2500 * TIMES)).astype(np.float32)


def test_tilt_is_the_high_band_over_the_low_one_in_decibels_at_any_level():
    assert spectral_tilt(voice(0.1)) == pytest.approx(-20, abs=0.3)
    assert spectral_tilt(voice(1.0)) == pytest.approx(0, abs=0.3)
    assert spectral_tilt(0.01 * voice(0.1)) == pytest.approx(spectral_tilt(voice(0.1)), abs=0.01)


def test_speed_is_that_of_the_frames_with_speech():
    aperture = np.zeros(2 * FPS)
    aperture[20:30] = np.arange(10) % 2 * 0.01  # 10 mm in every frame
    aperture[45:] = 5.0
    audio = 1e-5 * np.ones(32000, np.float32)
    audio[20 * 640 : 30 * 640] = voice(0.1)[: 10 * 640]
    assert lip_speed(aperture, audio) == pytest.approx(0.01 * FPS * 9 / 12, rel=0.15)
    assert lip_speed(2 * aperture, audio) == pytest.approx(2 * lip_speed(aperture, audio))


def test_lips_that_follow_effort_score_one_for_every_actor(monkeypatch, tmp_path):
    class Clip:
        def __init__(self, speaker, effort):
            self.speaker, self.audio = speaker, effort
            self.split = "test" if speaker == "b" else "train"

    class Runner:
        def perform(self, audio):
            self.effort = spectral_tilt(audio)
            return self

        @property
        def motion(self):
            return self.effort

        def lips(self, effort):
            return np.stack([np.arange(50) % 2 * (40 + effort), np.zeros(50)], 1)

    efforts = [0.05, 0.2, 0.5, 1.0]
    clips = [Clip(speaker, effort) for speaker in "ab" for effort in efforts]
    monkeypatch.setattr(effort_scores.corpora, "read", lambda corpus, data: clips)
    monkeypatch.setattr(effort_scores, "load_16k", voice)
    report = effort_scores.effort_scores(Runner(), tmp_path)
    assert report["within_actor_r"].value == pytest.approx(1) and report["within_actor_r"].count == 2
    assert report["held_out_actor_r"].count == 1 and report["all_lines_r"] == pytest.approx(1)
