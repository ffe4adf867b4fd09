"""Nearly closed lips close, wide apertures are kept, their order is preserved, only `mouthClose` changes."""

import numpy as np
import pytest

from server.arkit import CHANNELS, channel_indices
from server.face.head import load_head
from server.performance import lip_contact
from server.protocol.emotions import EMOTIONS
from server.training.labels.expression_targets import pose


def openings(*millimetres: float) -> np.ndarray:
    """ARKit curves (F, 52) whose jaw opens the lips of the project's head by these apertures."""
    motion = np.zeros((len(millimetres), 52), np.float32)
    jaw = CHANNELS.index("jawOpen")
    head = load_head()
    upper, lower = head.landmark_vertices[[62, 66]]
    motion[:, jaw] = np.array(millimetres) / 1000 / (head.basis[jaw, upper, 2] - head.basis[jaw, lower, 2])
    return motion


def gap(motion: np.ndarray) -> np.ndarray:
    """(F,) millimetres between the inner lips beyond those at rest, measured on the moving head."""
    head = load_head()
    upper, lower = head.landmark_vertices[[62, 66]]
    moved = head.vertices[[upper, lower]] + np.tensordot(motion, head.basis[:, [upper, lower]], 1)
    return 1000 * (moved[:, 0, 2] - moved[:, 1, 2] - (head.vertices[upper, 2] - head.vertices[lower, 2]))


def test_small_apertures_close_and_wide_ones_stay():
    before = openings(0, 0.15, 0.3, 4, 8, 15)
    after = gap(lip_contact.close_near_contacts(before))
    np.testing.assert_allclose(after[[0, 3, 4, 5]], [0, 4, 8, 15], atol=0.01)
    assert after[1] < 0.02 and after[2] < 0.06


def test_the_order_of_apertures_stays_and_lips_never_cross():
    before = openings(*np.linspace(0, 12, 200))
    after = gap(lip_contact.close_near_contacts(before))
    assert (np.diff(after) > -1e-5).all() and after.min() > -1e-3


def test_only_mouth_close_changes_and_stays_a_weight():
    motion = np.random.default_rng(0).uniform(0, 0.05, (100, 52)).astype(np.float32)
    after = lip_contact.close_near_contacts(motion)
    changed = np.flatnonzero(np.abs(after - motion).max(0))
    assert [CHANNELS[k] for k in changed] == ["mouthClose"]
    assert after.min() >= 0 and after.max() <= 1 and after.dtype == np.float32


@pytest.mark.parametrize("feeling", EMOTIONS)
def test_lips_that_meet_still_meet_under_every_emotion(feeling):
    """On the moving head, in all directions: within 0.5 mm of where they were; a wide mouth keeps its expression."""
    speech = openings(0, 0.1, 9)
    expression = np.tile(pose(feeling), (3, 1))
    head = load_head()
    points = head.landmark_vertices[[62, 66]]
    motion = lip_contact.add_expression(speech, expression)
    moved = head.vertices[points] + np.tensordot(motion, head.basis[:, points], 1)
    between = 1000 * np.linalg.norm(moved[:, 0] - moved[:, 1], axis=1)
    assert between[0] < 0.6 and between[1] < 0.7 and between[2] > 6
    np.testing.assert_allclose(motion[2], (speech + expression).clip(0, 1)[2], atol=1e-3)


def test_round_lips_reduce_a_smile_at_the_corners_but_not_in_the_cheeks():
    speech = np.repeat(openings(6), 2, 0)
    speech[1, CHANNELS.index("mouthPucker")] = 0.6
    expression = np.tile(pose("happy"), (2, 1))
    given = expression.copy()
    motion = lip_contact.add_expression(speech, expression)
    smile, cheek = (CHANNELS.index(name) for name in ("mouthSmileLeft", "cheekSquintLeft"))
    assert motion[0, smile] == given[0, smile] > 3 * motion[1, smile] > 0
    assert motion[0, cheek] == motion[1, cheek] == given[0, cheek]
    np.testing.assert_array_equal(expression, given)  # the argument is not changed


def test_what_the_limits_take_away_from_an_expression_does_not_press_the_lips_through_each_other():
    """Smiling lips that the jaw opens and mouthClose closes, and a second smile, of which the limit leaves little."""
    smile = channel_indices("mouthSmile")
    speech, expression, close = (np.zeros((1, len(CHANNELS)), np.float32) for _ in range(3))
    speech[:, smile], expression[:, smile], close[:, lip_contact.MOUTH_CLOSE] = 0.95, 0.9, 1
    speech += openings(1 - gap(speech)[0])
    speech -= close * gap(speech)[0] / gap(close)[0]
    assert abs(gap(speech)[0]) < 0.01 and speech.min() >= 0 and speech.max() <= 1
    assert abs(gap(lip_contact.add_expression(speech, expression))[0]) < 0.1
