"""The emotion of a line: names, keys over time, words."""

import json

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.performance.emotion import choice
from server.performance.emotion.bank import Bank
from server.protocol.emotions import EMOTIONS

SAD, HAPPY = EMOTIONS.index("sad"), EMOTIONS.index("happy")
KEYS = [[0.5, "sad", 1.0], [1.5, "happy", 0.5]]


def test_keys_are_linear_between_two_and_hold_outside(tmp_path):
    shown = choice.parse(json.dumps(KEYS), tmp_path, Bank())
    direction = shown.direction(0.5, None, Bank(), 10.0, 41)
    assert len(direction.strength) == 16, "no more rows than up to the last key"
    np.testing.assert_allclose(direction.strength[[0, 5, 10, 15]], [0.5, 0.5, 0.375, 0.25])
    np.testing.assert_allclose(direction.chosen[[0, 5, 10, 15]][:, [SAD, HAPPY]], [[1, 0], [1, 0], [0.5, 0.5], [0, 1]])
    assert (direction.mix == 1).all() and np.allclose(direction.chosen.sum(1), 1)


def test_keys_beyond_the_end_of_the_line_cost_nothing(tmp_path):
    direction = choice.parse([[0, "sad", 0], [1e9, "sad", 1]], tmp_path, Bank()).direction(1.0, 0.5, Bank(), 25.0, 51)
    assert len(direction.strength) == 51 and direction.strength.max() < 1e-6 and (direction.mix == 0.5).all()


def test_keys_in_a_file_in_a_cell_and_as_a_list_are_the_same(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(KEYS), "utf-8")
    assert (
        choice.parse("keys.json", tmp_path, Bank())
        == choice.parse(json.dumps(KEYS), tmp_path, Bank())
        == choice.parse(KEYS, tmp_path, Bank())
    )


def test_names_need_no_direction(tmp_path):
    assert choice.parse(" Happy ".strip(), tmp_path, Bank()) == choice.Emotion("happy")
    assert (
        choice.parse("", tmp_path, Bank()) == choice.DETECTED
        and choice.DETECTED.direction(1.0, None, Bank(), 25.0, 26) is None
    )


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [[0, "sad"]],
        [[0, "sad", 2]],
        [[-1, "sad", 1]],
        [[0, "glad", 1]],
        [["0", "sad", 1]],
        [[1, "sad", 1], [1, "happy", 1]],
        [[float("nan"), "sad", 1]],
        [[0, "sad", float("nan")]],
        [0],
    ],
)
def test_keys_that_cannot_be_used(tmp_path, keys):
    with pytest.raises(LSFError, match="keys are"):
        choice.parse(keys, tmp_path, Bank())
    (tmp_path / f"{len(str(keys))}.json").write_text(json.dumps(keys), "utf-8")
    with pytest.raises(LSFError, match="keys are"):
        choice.parse(f"{len(str(keys))}.json", tmp_path, Bank())


def test_a_file_of_keys_that_is_not_there_or_no_text(tmp_path):
    (tmp_path / "bad.json").write_bytes(b"\xff")
    for name, words in (("none.json", "no file"), ("x" * 5000 + ".json", "no file"), ("bad.json", "cannot be read")):
        with pytest.raises(LSFError, match=words):
            choice.parse(name, tmp_path, Bank())


def test_words_that_the_grammar_reads_need_no_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(choice.text, "is_installed", lambda: False)
    with pytest.raises(LSFError, match="text encoder"):
        choice.parse("his dog has run away", tmp_path, Bank())
    direction = choice.parse("slightly sad, left brow up", tmp_path, Bank()).direction(0.5, None, Bank(), 25.0, 51)
    assert direction.strength.tolist() == [0.5] and direction.mix.tolist() == [1]
    np.testing.assert_allclose(direction.chosen, [[0, 0, 0, 0, 0.4, 0, 0, 0, 1]])
    assert direction.pose()[0, CHANNELS.index("browOuterUpLeft")] == pytest.approx(0.5 * 0.8)
    with pytest.raises(LSFError, match="at most"):
        choice.parse("long " * 100, tmp_path, Bank())


def test_words_may_name_any_entry_of_the_bank(tmp_path):
    bank = Bank.from_fields([{"name": "Smug", "weights": {"mouthSmileLeft": 0.5}, "emotions": {"contempt": 0.5}}])
    shown = choice.parse("half smug, jaw set", tmp_path, bank)
    assert shown.words and shown.used(bank) == bank
    direction = shown.direction(1.0, None, bank, 25.0, 51)
    assert direction.applied_to(np.zeros((1, 8)))[0, EMOTIONS.index("contempt")] == pytest.approx(0.25)
    assert direction.pose()[0, CHANNELS.index("mouthSmileLeft")] == pytest.approx(0.25)
