"""Phrases of a line: where changes of an emotion lie in it, and how much of an expression is there in pauses."""

import numpy as np
import pytest

from server.protocol import phrases
from server.protocol.affect import Change

SPOKEN = np.array([[0.5, 2.0], [3.0, 5.0], [5.3, 7.0]])


def test_phrases_lie_between_pauses():
    level = np.full(400, -20.0)  # 8 s
    level[:25] = level[100:150] = -70
    level[250:255] = -70  # 0.1 s: the closure of a plosive
    np.testing.assert_allclose(phrases.phrases(level), [[0.5, 2.0], [3.0, 8.0]])
    assert len(phrases.phrases(np.zeros(0))) == 0


def test_a_change_moves_to_the_start_of_the_phrase_near_it():
    (found,) = phrases.moved([Change(2.2, 2.8)], SPOKEN)
    assert found == pytest.approx((3.0 - 0.45, 3.0 + 0.15)), "three quarters of 0.6 s before 3.0"
    assert phrases.moved([Change(3.3, 3.9)], SPOKEN) == (pytest.approx((2.55, 3.15)),), "from behind it, too"
    assert phrases.moved([Change(1.4, 2.0)], SPOKEN) == (pytest.approx((2.55, 3.15)),), "0.3 s before the pause"
    assert phrases.moved([Change(3.9, 4.5)], SPOKEN) == (Change(3.9, 4.5),), "0.8 s before the next pause"
    far = np.array([[0.0, 1.0], [6.0, 7.0]])
    assert phrases.moved([Change(1.5, 2.5)], far) == (Change(1.5, 2.5),), "4 s into the pause is another moment, too"
    assert phrases.moved([Change(1.0, 2.0)], np.zeros((0, 2))) == (Change(1.0, 2.0),)


def test_changes_that_would_meet_stay():
    both = (Change(2.5, 3.0), Change(3.2, 3.7))
    assert phrases.moved(both, SPOKEN) == both
    three = (Change(2.5, 3.0), Change(3.2, 3.7), Change(5.0, 5.6))
    assert phrases.moved(three, SPOKEN) == (*both, pytest.approx((4.85, 5.45)))


def test_what_lies_between_changes_is_held():
    times = np.arange(0, 8, 0.5)
    before, after = (Change(2.0, 3.0),), (Change(4.0, 5.0),)
    earlier = phrases.earlier_times(times, before, after)
    assert (np.diff(earlier) >= 0).all()
    np.testing.assert_allclose(earlier[[8, 9, 10]], [2.0, 2.5, 3.0], atol=1e-4)
    assert (earlier[:8] <= 2).all() and (earlier[11:] >= 3).all()
    np.testing.assert_array_equal(phrases.earlier_times(times, (), ()), times)
    cut = phrases.earlier_times(times, (Change(2.0, 2.0),), (Change(4.0, 4.0),))
    assert cut[7] < 2 < cut[9]


def test_an_expression_is_there_in_phrases_and_eases_in_pauses():
    times = np.arange(0, 9, 0.04)
    present = phrases.presence(times, SPOKEN)
    inside = ((times[:, None] >= SPOKEN[:, 0]) & (times[:, None] <= SPOKEN[:, 1])).any(1)
    assert (present[inside] == 1).all() and present.min() == pytest.approx(phrases.PAUSE_STRENGTH)
    assert np.abs(np.diff(present)).max() < 0.07, "onset 0.4 s: 0.4 · 1.5 / 10 frames a frame"
    assert present[(times > 5.0) & (times < 5.3)].min() > 0.95, "a short pause is bridged"
    assert present[-1] == pytest.approx(phrases.PAUSE_STRENGTH)
    assert (phrases.presence(times, np.zeros((0, 2))) == 1).all()
