"""A direction that follows the sentence: changes in pauses, strength by phrases and by the weight of words."""

import numpy as np
import pytest

from server.errors import LSFError
from server.performance import prosody
from server.performance.emotion.direction import Direction
from server.performance.emotion.following import Following, word_weight
from server.protocol.affect import Change
from server.protocol.emotions import EMOTIONS

FPS = 25.0
FRAMES = 200


def voice(loud: float = -20.0, soft: float = -20.0) -> prosody.Voice:
    """8 s with a pause from 3 to 4 s; the words before it are loud, those behind it soft."""
    level = np.full(400, loud)
    level[200:], level[150:200] = soft, -80
    return prosody.Voice(level, np.zeros(400), 8.0, 0)


def angry_then_happy(frame: int) -> Direction:
    """A cut at a frame."""
    control = np.zeros((FRAMES, 10))
    control[:, :2] = 1
    control[:frame, 2 + EMOTIONS.index("angry")] = control[frame:, 2 + EMOTIONS.index("happy")] = 1
    return Direction.from_control(control)


def test_without_a_wish_nothing_changes():
    direction = angry_then_happy(80)
    assert Following().applied(direction, voice(), FPS, FRAMES) is direction
    assert Following(changes=(Change(3, 4),)).applied(direction, voice(), FPS, FRAMES) is direction


def test_a_change_moves_into_the_pause_and_the_strength_stays_in_time():
    at = 115 / FPS  # 4.6 s, a word of the second phrase
    direction = angry_then_happy(115)
    direction.strength[:50] = 0.5
    followed = Following(True, changes=(Change(at, at),)).applied(direction, voice(), FPS, FRAMES)
    happy = followed.chosen[:, EMOTIONS.index("happy")]
    assert happy[99] == 0 and happy[102] == 1, "the phrase starts at 4 s"
    np.testing.assert_allclose(followed.strength[:50], 0.5)
    np.testing.assert_allclose(followed.strength[55:70], 1)
    assert 0.6 <= followed.strength[75:100].min() < 0.75, "it eases in the pause"


def test_one_row_for_the_line_follows_too():
    followed = Following(True).applied(Direction.constant("sad", 0.8), voice(), FPS, FRAMES)
    assert followed.chosen.shape == (FRAMES, 8) and followed.strength[20] == pytest.approx(0.8)
    assert followed.strength.min() < 0.6
    assert Following(True).applied(Direction.constant(), voice(), FPS, 0).strength.shape == (1,)


def test_the_strength_follows_the_weight_of_words():
    line = voice(-20, -30)
    weight = word_weight(line, FRAMES, FPS)
    assert weight.max() <= 1 and weight[20:60].min() > 0.9 and weight[110:190].max() < 0.5
    assert weight[86:90].max() < 0.05, "the pause"
    followed = Following(words=0.5).applied(Direction.constant("sad"), line, FPS, FRAMES)
    np.testing.assert_allclose(followed.strength, 1 - 0.5 * 0.6 * (1 - weight))
    assert np.abs(np.diff(followed.strength)).max() < 0.05
    silence = prosody.Voice(np.zeros(3), np.zeros(3), 0.06, 0)
    np.testing.assert_array_equal(word_weight(silence, 2, FPS), [1, 1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"words": 1.1},
        {"words": float("nan")},
        {"changes": (Change(2, 1),)},
        {"changes": (Change(0, 2), Change(1, 3))},
        {"changes": (Change(0, float("inf")),)},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(LSFError) as caught:
        Following(**wrong)
    assert caught.value.code == "bad_settings"
