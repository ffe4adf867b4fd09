"""The emotion of a line: names, keys over time, words."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.performance.emotion import choice
from server.performance.emotion.bank import Bank
from server.performance.emotion.following import Following
from server.protocol import affect
from server.protocol.emotions import EMOTIONS
from server.protocol.expressions import Expression

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
    direction = choice.parse([[0, "sad", 0], [14400, "sad", 1]], tmp_path, Bank()).direction(1.0, 0.5, Bank(), 25.0, 51)
    assert len(direction.strength) == 51 and direction.strength.max() < 2e-4 and (direction.mix == 0.5).all()


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
        [[True, "sad", 1]],
        [[0, "sad", True]],
        [[0, "sad", 10**400]],
        [[10**400, "sad", 1]],
        [[0, "sad", 1], [14401, "happy", 1]],  # more than the longest sound
        [[i, "sad", 1] for i in range(10001)],
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


NEUTRAL, SURPRISED = EMOTIONS.index("neutral"), EMOTIONS.index("surprised")


def keyed(bank: Bank | None = None, seconds: float = 4.0, **options) -> tuple[choice.Emotion, np.ndarray]:
    """Angry, from 2 s on happy, with options; and the weights at 25 fps."""
    value = {"keys": [[0, "angry", 1], [2, "happy", 1]]} | options
    shown = choice.parse(value, Path(), bank or Bank())
    direction = shown.direction(1.0, None, bank or Bank(), 25.0, round(seconds * 25) + 1)
    return shown, direction.chosen


def test_keys_with_options_pass_by_the_circle():
    _, rows = keyed()
    assert rows[0, 0] == 1 and rows[50, HAPPY] == pytest.approx(1) and rows[25, NEUTRAL] > 0.6
    assert np.minimum(rows[:, 0], rows[:, HAPPY]).max() < 0.1
    _, faded = keyed(passing="direct")
    plain = choice.parse([[0, "angry", 1], [2, "happy", 1]], Path(), Bank()).direction(1.0, None, Bank(), 25.0, 101)
    np.testing.assert_array_equal(faded, plain.chosen)


def test_a_transition_lies_around_its_key():
    _, rows = keyed(transition=0.4)
    assert rows[35, 0] == pytest.approx(1) and rows[65, HAPPY] == pytest.approx(1), "0.4 s, at most twice as long"
    assert rows[49, NEUTRAL] > 0.3 and len(rows) == 51 + 25
    _, faded = keyed(transition=0.4, passing="direct")
    assert faded[43, 0] == pytest.approx(1) and faded[49, [0, HAPPY]] == pytest.approx([0.5, 0.5], abs=0.2)


def test_keys_may_be_places_on_the_circle():
    keys = [[0, [0, 0], 1], [2, list(affect.PLACES["sad"]), 1]]
    for options in ({}, {"transition": 0.5}):
        _, rows = keyed(keys=keys, **options)
        assert rows[0, NEUTRAL] == 1 and rows[-1, SAD] == pytest.approx(1)
    _, rows = keyed(keys=keys, transition=0.5)
    assert rows[25, SAD] == pytest.approx(0.5, abs=0.02), "places are linear between two keys"


def test_an_entry_of_the_bank_is_on_the_way():
    smirk = Bank((Expression("smirk", {"mouthSmileLeft": 1.0}, {}, (0.5, 0.2)),))
    for options in ({}, {"transition": 0.4}, {"passing": "direct"}):
        shown, rows = keyed(smirk, keys=[[0, "smirk", 1], [2, "angry", 1]], **options)
        assert rows.shape[1] == 9 and rows[0, 8] == 1 and rows[-1, 0] == pytest.approx(1)
        assert shown.used(smirk) == smirk


def test_the_changes_that_may_move_are_known_without_the_line():
    shown, _ = keyed(transition=0.4, follow_sentence=True, follow_words=0.5)
    following = shown.following(Bank())
    (change,) = following.changes
    assert (following.sentence, following.words) == (True, 0.5)
    assert sum(change) / 2 == pytest.approx(2.0, abs=0.01) and 0.4 < change.end - change.start < 1
    assert keyed(follow_sentence=True)[0].following(Bank()).changes == (), "from key to key, the keys say it all"
    assert choice.DETECTED.following(Bank()) == Following()


def test_many_keys_in_hours_of_sound_are_read_in_a_moment():
    keys = [[0.04 * i, "sad", i % 2] for i in range(choice.MAX_KEYS - 1)] + [[14400, "happy", 1]]
    shown, rows = keyed(keys=keys, transition=0.5, follow_sentence=True)
    assert len(shown.following(Bank()).changes) == 1 and (rows[:, SAD] == 1).all()
    shown, rows = keyed(keys=keys)
    assert (rows[:, SAD] == 1).all()


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_a_file_of_keys_that_has_no_end_or_too_much(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    (tmp_path / "large.json").write_bytes(b" " * (choice.MAX_BYTES + 1))
    for name, words in (("pipe.json", "no file"), ("device.json", "no file"), ("large.json", "more than 1 MB")):
        with pytest.raises(LSFError, match=words):
            choice.parse(name, tmp_path, Bank())


@pytest.mark.parametrize(
    "options",
    [
        {"passing": "through"},
        {"transition": -1},
        {"transition": float("nan")},
        {"transition": True},
        {"transition": 10**400},
        {"follow_words": 2},
        {"follow_words": True},
        {"keys": [[0, [True, 0], 1]]},
        {"keys": [[0, [0, 10**400], 1]]},
        {"keys": [[0, "sad", 1], [1e7, "happy", 1]], "transition": 0.5, "follow_sentence": True},
        {"follow_sentence": 1},
        {"speed": 1},
        {"keys": []},
        {"keys": [[0, [0, 2], 1]]},
        {"keys": [[0, [0], 1]]},
        {"keys": "sad"},
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options):
    with pytest.raises(LSFError, match="keys with options are"):
        choice.parse({"keys": [[0, "sad", 1]]} | options, Path(), Bank())
    with pytest.raises(LSFError, match="keys are"):
        choice.parse([[0, [0.5, 0.5], 1]], Path(), Bank())
    with pytest.raises(LSFError, match="keys with options"):
        choice.parse("{}", Path(), Bank())
