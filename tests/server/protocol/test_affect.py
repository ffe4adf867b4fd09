"""The circle of affect: where emotions lie, what a point of it shows, and the way from one emotion to another."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from server.protocol import affect
from server.protocol.emotions import EMOTIONS
from server.protocol.expressions import Expression

NEUTRAL = EMOTIONS.index("neutral")
FRAMES = 12.5  # half a second
FAR = [("angry", "happy"), ("sad", "happy"), ("fearful", "happy"), ("angry", "sad"), ("disgusted", "surprised")]


def changed(before: str, after: str, frames: float = FRAMES, circle: bool = True) -> affect.Rows:
    chosen = np.repeat([EMOTIONS.index(before), EMOTIONS.index(after)], 50)
    return affect.rows_of_choices(chosen, np.zeros((100, 2)), [], frames, circle)


def second(rows: np.ndarray) -> np.ndarray:
    """The second strongest emotion of each frame, neutral aside."""
    return np.sort(np.delete(rows, NEUTRAL, 1), 1)[:, -2]


def test_the_place_of_an_emotion_is_that_emotion_alone():
    places = np.array([affect.PLACES[name] for name in EMOTIONS])
    np.testing.assert_allclose(affect.weights(places), np.eye(8), atol=1e-12)
    np.testing.assert_allclose(np.hypot(*places.T), [float(name != "neutral") for name in EMOTIONS])


def test_half_way_to_an_emotion_is_half_of_it():
    rows = affect.weights(0.5 * np.array(affect.PLACES["sad"]))
    assert rows[EMOTIONS.index("sad")] == pytest.approx(0.5) and rows[NEUTRAL] == pytest.approx(0.5)
    outside = affect.weights(3.0 * np.array(affect.PLACES["sad"]))
    assert outside[EMOTIONS.index("sad")] == pytest.approx(1)


def test_every_point_is_a_mixture_and_has_no_jump_beside_it():
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    rows = affect.weights(points)
    np.testing.assert_allclose(rows.sum(1), 1)
    assert rows.min() >= 0 and (np.sort(rows[:, [i for i in range(8) if i != NEUTRAL]], 1)[:, :-2] < 1e-12).all()
    # The steepest place is the ring between neighbours 19° apart: 1.5 / 0.332 rad = 4.5 a unit.
    assert np.abs(affect.weights(points + 1e-4) - rows).max() < 4.6 * 1e-4 * np.sqrt(2)


def test_calm_is_neutral():
    sleepy = affect.weights(np.array([[0.0, -1.0], [0.5, -0.8]]))
    assert sleepy[:, NEUTRAL].min() > 0.95


def test_a_mixture_has_its_place():
    valence, arousal = affect.place({"happy": 0.5})
    assert (2 * valence, 2 * arousal) == pytest.approx(affect.PLACES["happy"])
    assert affect.place({}) is None and affect.place({"neutral": 1.0}) == (0, 0)
    assert affect.place({"sad": 1.0, "happy": 1.0})[0] == pytest.approx(-0.036, abs=0.002), "(−.9205 + .8480) / 2"


def test_a_pose_lies_where_poses_that_are_like_it_do():
    smile = affect.place_of_pose({"mouthSmileLeft": 0.6, "mouthSmileRight": 0.5, "cheekSquintLeft": 0.4})
    frown = affect.place_of_pose({"browInnerUp": 0.7, "mouthFrownLeft": 0.4, "mouthFrownRight": 0.4})
    assert smile[0] > 0.7 and frown[0] < -0.5 and frown[1] < 0
    assert affect.place_of_pose({}) is None and affect.place_of_pose({"tongueOut": 1.0}) is None


def test_an_expression_lies_at_its_own_place_or_at_that_of_what_it_shows():
    own = Expression("smirk", {"mouthSmileLeft": 1.0}, {"sad": 1.0}, (0.2, 0.1))
    assert affect.place_of_expression(own) == (0.2, 0.1)
    assert affect.place_of_expression(replace(own, affect=None)) == pytest.approx(affect.PLACES["sad"])
    smile = affect.place_of_expression(replace(own, affect=None, emotions={}))
    assert smile is not None and smile[0] > 0
    assert affect.place_of_expression(Expression("tongue", {"tongueOut": 1.0})) is None


def test_a_way_bends_towards_neutral_the_farther_it_leads():
    def least(a: str, b: str) -> float:
        return np.hypot(*affect.path(affect.PLACES[a], affect.PLACES[b], np.linspace(0, 1, 101)).T).min()

    assert least("angry", "disgusted") > 0.9 and least("angry", "happy") < 0.2 and least("happy", "sad") < 0.05
    still = affect.path(affect.PLACES["sad"], affect.PLACES["sad"], np.linspace(0, 1, 5))
    np.testing.assert_allclose(still, np.tile(affect.PLACES["sad"], (5, 1)), atol=1e-12)


@pytest.mark.parametrize("pair", FAR)
def test_no_frame_is_half_of_one_emotion_and_half_of_another(pair):
    assert second(changed(*pair).weights).max() < 0.3
    assert second(changed(*pair, circle=False).weights).max() > 0.4, "as in a cross-fade"


def test_angry_to_happy_passes_surprise_and_neutral():
    rows = changed("angry", "happy").weights
    shown = dict(zip(EMOTIONS, rows.max(0), strict=True))
    assert shown["neutral"] > 0.7 and 0.15 < shown["surprised"] < 0.5 and shown["sad"] == shown["disgusted"] == 0
    assert rows[:, EMOTIONS.index("surprised")].argmax() > rows[:, EMOTIONS.index("fearful")].argmax()


def test_every_change_is_monotone_and_no_faster_than_a_cross_fade():
    # Of a step that is averaged with a Hann window of 13 frames: its middle is the 7th part of its sum.
    steepest = 1 / 7
    for before, after in permutations(EMOTIONS, 2):
        a, b = EMOTIONS.index(before), EMOTIONS.index(after)
        rows = changed(before, after).weights
        assert (np.diff(rows[:, a]) <= 1e-9).all() and (np.diff(rows[:, b]) >= -1e-9).all()
        np.testing.assert_allclose(rows.sum(1), 1)
        np.testing.assert_allclose(rows[[0, -1]], np.eye(8)[[a, b]], atol=1e-12)
        assert np.abs(np.diff(rows, axis=0)).max() <= steepest


def test_the_weights_are_those_of_the_points_so_that_these_can_be_keyed():
    rows = changed("angry", "happy")
    np.testing.assert_allclose(affect.weights(rows.points), rows.weights, atol=1e-9)
    free = affect.rows_of_choices(np.full(100, 8), rows.points, [], FRAMES)
    np.testing.assert_allclose(free.weights, rows.weights, atol=1e-9)
    assert free.changes == ()


def test_a_change_lies_around_its_key_and_takes_what_there_is():
    (change,) = changed("angry", "neutral").changes
    assert (change.start + change.end) / 2 == 49.5 and change.end - change.start == pytest.approx(FRAMES + 2)
    chosen = np.repeat([0, 3, 0], [50, 4, 50])
    rows = affect.rows_of_choices(chosen, np.zeros((104, 2)), [], 50.0)
    assert rows.weights[51:53, 3].max() > 0.9, "a short choice is reached, too"
    assert rows.changes[0].end <= rows.changes[1].start


def test_a_change_without_time_is_a_cut():
    rows = changed("angry", "happy", 0.0)
    np.testing.assert_array_equal(rows.weights, np.eye(8)[np.repeat([0, 3], 50)])


def test_where_nothing_is_chosen_the_choices_around_it_hold():
    chosen = np.repeat([-1, 0, -1, 3, -1], 20)
    rows = affect.rows_of_choices(chosen, np.zeros((100, 2)), [], 4.0)
    assert (rows.weights[:40, 0] == 1).all() and (rows.weights[60:, 3] == 1).all()
    assert (rows.changes[0].start + rows.changes[0].end) / 2 == 49.5
    nothing = affect.rows_of_choices(np.full(5, -1), np.zeros((5, 2)), [], 4.0)
    assert (nothing.weights[:, NEUTRAL] == 1).all() and nothing.changes == ()


@pytest.mark.parametrize("place", [(0.4, 0.1), (-0.9, 0.3), affect.PLACES["happy"], None])
def test_an_entry_of_the_bank_is_passed_to_and_from(place):
    chosen = np.repeat([8, 3, 8], 50)
    rows = affect.rows_of_choices(chosen, np.zeros((150, 2)), [place], FRAMES)
    np.testing.assert_allclose(rows.weights[[0, 75, -1]], np.eye(9)[[8, 3, 8]], atol=1e-12)
    assert rows.weights.min() >= 0
    np.testing.assert_allclose(rows.weights.sum(1), 1)
    assert np.abs(np.diff(rows.weights, axis=0)).max() < 0.2
