"""From the detected emotion to a chosen one and back: ways through the circle of affect, or cross-fades."""

import numpy as np
import pytest

from server.errors import LSFError
from server.performance.emotion.bank import Bank
from server.performance.emotion.direction import Direction
from server.protocol import affect
from server.protocol.emotions import EMOTIONS
from server.protocol.expressions import Expression

FRAMES, TRANSITION = 80, 12
WINDOW = np.hanning(2 * round(affect.LONGEST * TRANSITION / 2) + 3)
HAS_CHOICE = np.pad(np.repeat([0.0, 1.0], FRAMES // 2), len(WINDOW) // 2, "edge")
WAY = np.clip(np.convolve(HAS_CHOICE, WINDOW / WINDOW.sum(), "valid"), 0, 1)  # as the add-on sends it
ANGRY, HAPPY, NEUTRAL = (EMOTIONS.index(name) for name in ("angry", "happy", "neutral"))


def only(name: str, columns: int = len(EMOTIONS)) -> np.ndarray:
    return np.tile(np.eye(columns)[EMOTIONS.index(name)], (FRAMES, 1))


def control(chosen: np.ndarray, mix: float = 1.0) -> np.ndarray:
    return np.column_stack([np.ones(FRAMES), mix * WAY, chosen])


def test_it_is_the_way_between_two_choices_in_the_same_time():
    direction = Direction.from_control(control(only("happy")), way=WAY).passing(only("angry"))
    choices = np.repeat([ANGRY, HAPPY], FRAMES // 2)
    between = affect.rows_of_choices(choices, np.zeros((FRAMES, 2)), [], TRANSITION).weights
    shown = direction.applied_to(only("angry"))
    np.testing.assert_allclose(shown, between, atol=0.1)
    assert np.minimum(shown[:, ANGRY], shown[:, HAPPY]).max() < 0.05 and shown[:, NEUTRAL].max() > 0.7
    assert shown[0, ANGRY] == shown[-1, HAPPY] == 1
    back = Direction.from_control(control(only("happy"))[::-1], way=WAY[::-1]).passing(only("angry"))
    np.testing.assert_allclose(back.applied_to(only("angry"))[::-1], shown, atol=0.02)


@pytest.mark.parametrize(("detected", "longest"), [("neutral", 16), ("surprised", 26), ("sad", 30)])
def test_a_longer_way_takes_longer_and_none_is_faster_than_a_cross_fade(detected, longest):
    shown = Direction.from_control(control(only("angry")), way=WAY).passing(only(detected)).applied_to(only(detected))
    steps = np.abs(np.diff(shown, axis=0)).max(1)
    assert longest - 6 < (steps > 1e-4).sum() <= longest and steps.max() < 2.1 / TRANSITION


def test_a_change_that_turns_back_or_is_cut_off_does_not_jump():
    for way in (np.minimum(WAY, WAY[::-1]), np.concatenate([WAY[35:], np.ones(35)])):
        rows = control(only("happy"))
        rows[:, 1] = way
        shown = Direction.from_control(rows, way=way).passing(only("angry")).applied_to(only("angry"))
        assert np.abs(np.diff(shown, axis=0)).max() < 0.25


def test_without_a_way_both_are_mixed():
    direction = Direction.from_control(control(only("happy")))
    assert direction.passing(only("angry")) is direction
    np.testing.assert_array_equal(direction.applied_to(only("angry"))[:, HAPPY], WAY)


def test_a_choice_that_counts_by_half_is_passed_to_by_half():
    shown = (
        Direction.from_control(control(only("happy"), 0.5), way=WAY).passing(only("angry")).applied_to(only("angry"))
    )
    np.testing.assert_allclose(shown[-1, [ANGRY, HAPPY]], 0.5)
    assert np.abs(np.diff(shown, axis=0)).max() < 0.15, "no frame jumps"


def test_what_is_detected_may_change_meanwhile():
    turn = np.linspace(0, 1, FRAMES)[:, None]
    detected = (1 - turn) * only("sad") + turn * (0.5 * only("surprised") + 0.5 * only("neutral"))
    shown = Direction.from_control(control(only("angry")), way=WAY).passing(detected).applied_to(detected)
    assert np.abs(np.diff(shown, axis=0)).max() < 0.15 and shown.min() >= 0 and shown.sum(1).max() < 1 + 1e-9
    np.testing.assert_allclose(shown[[0, -1]], [detected[0], only("angry")[0]], atol=1e-9)


@pytest.mark.parametrize("place", [affect.PLACES["happy"], None])
def test_an_entry_of_the_bank_is_passed_to_or_cross_fades_without_a_place(place):
    entry = Expression("Smirk", {"mouthLeft": 1.0}, affect=place)
    chosen = np.tile(np.eye(9)[8], (FRAMES, 1))
    direction = Direction.from_control(control(chosen), Bank((entry,)), WAY)
    passed = direction.passing(only("angry"))
    pose, angry = passed.pose().max(1), passed.applied_to(only("angry"))[:, ANGRY]
    assert pose[0] == 0 and pose[-1] == 1 and (np.diff(pose) >= 0).all()
    if place is None:
        np.testing.assert_allclose(pose + angry, 1, atol=1e-9)
    else:
        assert np.minimum(pose, angry).max() < 0.1


def test_a_way_has_a_number_for_each_frame():
    for way in (WAY[1:], WAY + 0.1, WAY * np.nan, np.zeros((FRAMES, 1))):
        with pytest.raises(LSFError, match="way"):
            Direction.from_control(control(only("happy")), way=way)


def test_the_way_is_resampled_with_the_rest():
    direction = Direction.from_control(control(only("happy")), way=WAY)
    times = np.arange(2 * FRAMES) / 50
    np.testing.assert_allclose(direction.resampled(times, 25, 0.0).way, np.interp(times * 25, np.arange(FRAMES), WAY))
    assert direction.rows(3, 5).way.tolist() == WAY[3:8].tolist()
