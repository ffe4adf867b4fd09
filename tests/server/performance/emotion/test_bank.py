"""A bank of expressions beside the eight emotions: what a direction with entries shows."""

import json

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.performance.emotion.bank import SPEECH_CHANNELS, Bank, Expression
from server.performance.emotion.direction import Direction
from server.protocol.emotions import EMOTIONS

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")
SMILE_LEFT, JAW_OPEN = CHANNELS.index("mouthSmileLeft"), CHANNELS.index("jawOpen")
SMIRK = Expression("Smirk", {"mouthSmileLeft": 0.8, "jawOpen": 1.0})
GLEE = Expression("Glee", {"mouthSmileLeft": 0.5}, {"happy": 0.5})
BANK = Bank((SMIRK, GLEE))
DETECTED = np.eye(8)[[SAD]]


def test_without_a_bank_a_direction_is_what_it_was():
    control = np.random.default_rng(0).random((7, 10)).astype(np.float32)
    detected = np.random.default_rng(1).random((7, 8)).astype(np.float32)
    direction = Direction.from_control(control)
    mix = control[:, 1:2]
    wanted = control[:, :1] * (mix * control[:, 2:] + (1 - mix) * detected)
    found = direction.applied_to(detected)
    assert found.dtype == np.float32 and np.array_equal(found, wanted), "bit for bit"
    assert not direction.pose().any() and not direction.shows_poses_alone()


def test_an_entry_adds_its_pose_and_its_emotions():
    direction = Direction.constant("Glee", 0.5, 0.75, BANK)
    np.testing.assert_allclose(direction.chosen, [[*[0.0] * 8, 0, 1]])
    # strength · mix · weight · pose: .5 · .75 · .5
    np.testing.assert_allclose(direction.pose()[0, SMILE_LEFT], 0.1875)
    shown = direction.applied_to(DETECTED)[0]
    np.testing.assert_allclose([shown[HAPPY], shown[SAD]], [0.5 * 0.75 * 0.5, 0.5 * 0.25])
    assert direction.asks_for_emotion() and not direction.shows_poses_alone()
    assert Direction.constant("Smirk", bank=BANK).shows_poses_alone()


def test_entries_and_emotions_mix_in_the_columns_of_a_request():
    control = np.zeros((2, 12), np.float32)
    control[:, :2] = 1
    control[0, 2 + HAPPY], control[0, 10], control[1, 11] = 0.25, 0.5, 1.0
    direction = Direction.from_control(control, BANK).resampled(np.array([0.0, 0.5, 9.0]), 1.0, 0.0)
    np.testing.assert_allclose(direction.pose()[:, SMILE_LEFT], [0.4, 0.45, 0.5], atol=1e-6)
    np.testing.assert_allclose(direction.applied_to(np.repeat(DETECTED, 3, 0))[:, HAPPY], [0.25, 0.375, 0.5])
    assert direction.rows(1, 1).bank is BANK and len(direction.rows(1, 1).chosen) == 1
    for wrong in (control[:, :10], np.column_stack((control, control[:, :1]))):
        with pytest.raises(LSFError, match="12 numbers"):
            Direction.from_control(wrong, BANK)


def test_what_belongs_to_speech_is_at_most_30_per_cent():
    everything = Expression("Everything", dict.fromkeys(CHANNELS, 1.0))
    nothing = Expression("Nothing", dict.fromkeys(CHANNELS, -1.0))
    pose = Direction.constant("Everything", bank=Bank((everything,))).pose()[0]
    speech = [CHANNELS.index(name) for name in SPEECH_CHANNELS]
    assert {name for name, value in zip(CHANNELS, pose, strict=True) if value < 1} == set(SPEECH_CHANNELS)
    np.testing.assert_allclose(pose[speech], 0.3)
    np.testing.assert_allclose(Direction.constant("Nothing", bank=Bank((nothing,))).pose()[0, speech], -0.3)
    both = np.array([[1, 1, *[0] * 8, 1, 1]])  # two of them at full strength are within it, too
    other = Expression("Other", {"jawOpen": 1.0})
    assert Direction.from_control(both, Bank((everything, other))).pose()[0, JAW_OPEN] == pytest.approx(0.3)
    half = Direction.constant("Everything", 0.5, bank=Bank((everything,))).pose()[0, JAW_OPEN]
    assert half == pytest.approx(0.15), "it grows evenly with the strength"


def test_names_of_entries_are_found_and_unknown_ones_refused(tmp_path):
    assert BANK.names == ("Smirk", "Glee") and BANK.find("smirk") is SMIRK and BANK.find("joy") is None
    assert BANK.only({"Glee", "joy"}).names == ("Glee",)
    with pytest.raises(LSFError, match='no emotion "Grin"') as error:
        Direction.constant("Grin", bank=BANK)
    assert error.value.code == "bad_settings" and "Smirk" in str(error.value)
    (tmp_path / "bank.json").write_text(
        json.dumps({"format": "lsf-expressions", "version": 1, "expressions": BANK.to_fields()}), "utf-8"
    )
    assert Bank.load(tmp_path / "bank.json") == BANK == Bank.from_fields(BANK.to_fields())
    for wrong in (lambda: Bank.from_fields("x"), lambda: Bank((SMIRK, SMIRK)), lambda: Bank((SMIRK,) * 65)):
        with pytest.raises(LSFError) as error:
            wrong()
        assert error.value.code == "bad_bank"
