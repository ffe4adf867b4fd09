"""The table of channels, on made-up curves."""

from types import SimpleNamespace

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.training.evaluation import channel_scores
from server.training.evaluation.channel_scores import (
    MADE_BY,
    MAKERS,
    as_text,
    channel_rows,
    row_channels,
    side_difference,
)
from server.training.evaluation.spread import Spread

WAVE = 0.2 * np.clip(np.sin(np.arange(100) / 3), 0, 1)


def curves(gain: float = 0.0, rest: float = 0.0) -> np.ndarray:
    """Curves (100, 52) whose smile and lowered brows move, the left side by 1 + gain and the right one by 1 − gain."""
    made = np.zeros((100, 52), np.float32)
    for name in ("mouthSmile", "browDown"):
        for side, sign in (("Left", 1), ("Right", -1)):
            made[:, CHANNELS.index(name + side)] = (1 + sign * gain) * WAVE
    made[:, CHANNELS.index("browDownLeft")] += rest
    return made


def test_every_channel_has_one_row_and_known_makers():
    assert sorted(i for name in MADE_BY for i in row_channels(name)) == list(range(52))
    assert {maker for makers in MADE_BY.values() for maker in makers} == set(MAKERS)


def test_the_difference_of_sides_is_the_gain_at_any_size_of_the_movement():
    for scale in (0.2, 1.0):
        assert side_difference(scale * curves(0.3), "mouthSmile") == pytest.approx(0.3, abs=1e-6)
    assert side_difference(curves(-0.3), "mouthSmile") == pytest.approx(0.3, abs=1e-6)
    assert np.isnan(side_difference(0.01 * curves(0.3), "mouthSmile"))


def test_what_the_tracker_takes_for_a_resting_brow_does_not_count():
    measured = side_difference(curves(0.3, rest=0.4), "browDown", tracked=True)
    assert measured == pytest.approx(side_difference(curves(0.3), "browDown", tracked=True), abs=0.02)
    assert side_difference(curves(0.3, rest=0.4), "browDown") > 2 * measured


def test_the_jaw_is_compared_with_its_opening():
    made = curves()
    made[:, CHANNELS.index("jawOpen")] = WAVE
    made[:50, CHANNELS.index("jawLeft")] = 0.1 * WAVE[:50]
    made[50:, CHANNELS.index("jawRight")] = 0.1 * WAVE[50:]
    assert side_difference(made, "jaw") == pytest.approx(0.1, abs=1e-6)


def test_rows_have_the_spread_of_lines_and_of_people():
    people = {"a": [curves(0.1), curves(0.2), curves(0.3)], "b": [curves(0.4)], "c": [0.001 * curves(0.9)]}
    rows = channel_rows([curves(0.1), curves(0.3)], [2 * curves(0.2)], people)
    smile = rows["mouthSmile"]
    sides = smile["sides"]
    assert isinstance(sides, Spread) and sides.count == 3 and sides.value == pytest.approx(0.2)
    tracked = smile["sides tracked"]
    assert isinstance(tracked, Spread) and tracked.count == 2  # c moves too little
    assert (tracked.low, tracked.high) == (pytest.approx(0.2), pytest.approx(0.4))
    assert smile["largest"] == pytest.approx(0.48, abs=1e-3) and isinstance(smile["moves"], Spread)
    assert smile["moves"].value == pytest.approx(WAVE.std(), rel=1e-5)
    assert np.isnan(rows["noseSneer"]["sides"]) and "sides" not in rows["jawOpen"]


def test_the_text_has_a_line_for_every_row():
    text = as_text(channel_rows([curves(0.1)], [], {"a": [curves(0.2)]}))
    table = [row for row in text.splitlines() if row.startswith("|")]
    assert len(table) == 2 + len(MADE_BY) and len({row.count("|") for row in table}) == 1
    assert "| mouthSmileLeft, …Right | lips, poses, sides |" in text and "nan" not in text


def test_lines_are_those_of_grid_and_of_the_people_and_every_emotion_is_tried(monkeypatch, tmp_path):
    asked = []

    class Runner:
        model = SimpleNamespace(config=SimpleNamespace(identity_size=4))

        def clips(self, data, corpus):
            speakers = {"grid": ["s1"] * 5, "people": ["p", "q"]}[corpus]
            valid = np.arange(100) < 90
            return [SimpleNamespace(speaker=s, curves=curves(0.2), valid=valid) for s in speakers]

        def run(self, clip, emotion=None, identity=None):
            asked.append((clip.speaker, emotion, tuple(identity)))
            return curves(0.1)

    table = channel_scores.channel_table(Runner(), tmp_path, limit=4)
    assert [speaker for speaker, emotion, _ in asked if emotion is None] == ["s1"] * 4 + ["p", "q"]
    assert len({identity for _, emotion, identity in asked if emotion is None}) == 6
    assert {emotion for _, emotion, _ in asked} == {None, *channel_scores.EMOTIONS}
    tracked = table["mouthSmile"]["sides tracked"]
    assert isinstance(tracked, Spread) and tracked.count == 3
