"""Emotion: detected in the voice or chosen by the artist, and its timing."""

import numpy as np
import pytest

from server.errors import LSFError
from server.performance import prosody
from server.performance.emotion import expression
from server.performance.emotion.direction import Direction
from server.protocol.emotions import EMOTION_CLASSES, EMOTIONS

RATE, FPS = 16000, 25


def speech(*spans: tuple[float, float], seconds: float = 6.0) -> np.ndarray:
    """A buzz in the given spans of seconds, silence around them."""
    t = np.arange(int(seconds * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 12)) * 0.1
    return (voice * sum((t >= a) & (t < b) for a, b in spans)).astype(np.float32)


def activity(audio: np.ndarray, millimetres: float = 8) -> np.ndarray:
    """Speech activity of `audio` with a constant aperture of the lips."""
    return expression.speech_activity(prosody.loudness(audio), np.full(150, millimetres / 1000), FPS)


def weights(**of: float) -> np.ndarray:
    return np.tile([of.get(name, 0.0) for name in EMOTIONS], (150, 1))


def certainty(**of: float) -> np.ndarray:
    """One row of probabilities; what is not given is neutral."""
    rest = 1 - sum(of.values())
    return np.array([[of.get(name, 0.0) + (rest if name == "neutral" else 0) for name in EMOTION_CLASSES]])


def shown(emotion: str, **of: float) -> float:
    return float(expression.detected_emotion(certainty(**of))[0, EMOTIONS.index(emotion)])


def test_an_undecided_reader_is_neutral_and_a_sure_one_is_not():
    assert shown("neutral", angry=0.1, sad=0.1, fearful=0.1) == 1
    assert shown("angry", angry=0.9) > 0.8
    for emotion in ("angry", "disgusted", "fearful", "sad", "surprised", "contempt", "happy"):
        assert shown(emotion, **{emotion: 0.35}) < 0.3, "what is more likely wrong is no more than a hint"
        assert shown(emotion, **{emotion: 0.6}) > 0.5, "what is more likely right outweighs neutral"
    anything = np.random.default_rng(0).dirichlet(np.ones(len(EMOTION_CLASSES)), 50)
    found = expression.detected_emotion(anything)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert found.min() >= 0


def test_a_doubtful_smile_is_not_shown_where_another_emotion_would_be():
    assert shown("sad", sad=0.27, happy=0.27) > 0.1 and shown("happy", sad=0.27, happy=0.27) == 0


def test_boredom_is_neutral():
    assert shown("neutral", bored=1.0) == 1


def test_noise_without_lip_movement_is_no_speech():
    audio = speech((0.0, 6.0))
    assert activity(audio).min() == 1 and activity(audio, 0.3).max() == 0


def test_a_mood_holds_through_a_pause_and_is_read_where_somebody_speaks():
    probabilities = np.zeros((150, 2))
    probabilities[:75, 0], probabilities[75:, 1] = 1, 1  # the second half is silence, which reads as something else
    heard = np.where(np.arange(150) < 75, 1.0, 0.0)
    mood = expression.smooth_probabilities(probabilities, heard, FPS)
    assert mood[:50, 0].min() > 0.95 and mood[85, 0] > 0.6
    np.testing.assert_allclose(mood.sum(1), 1, atol=1e-5)


def test_direction_mixes_what_is_chosen_with_what_is_detected():
    detected = weights(sad=0.8, neutral=0.2)[:1]
    heard = Direction.constant().applied_to(detected)
    np.testing.assert_allclose(heard, detected)
    chosen = Direction.constant("happy", strength=0.5, mix=0.75).applied_to(detected)[0]
    assert chosen[EMOTIONS.index("happy")] == pytest.approx(0.5 * 0.75)
    assert chosen[EMOTIONS.index("sad")] == pytest.approx(0.5 * 0.25 * 0.8)
    assert not Direction.constant("happy", strength=0).applied_to(detected).any()


def test_direction_over_time_is_read_where_its_frames_lie():
    control = np.zeros((3, 10))
    control[:, 0], control[:, 1], control[:, 2] = 1, 1, (0, 0.5, 1)
    at = Direction.from_control(control).resampled(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), fps=1, t0=1.0)
    np.testing.assert_allclose(at.chosen[:, 0], [0, 0, 0.25, 0.5, 1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Direction.constant("hungry"),
        lambda: Direction.constant("happy", strength=1.5),
        lambda: Direction.constant("happy", mix=-0.1),
        lambda: Direction.constant(strength=float("nan")),
        lambda: Direction.from_control(np.zeros((4, 9))),
        lambda: Direction.from_control(np.zeros((0, 10))),
        lambda: Direction.from_control(np.full((4, 10), 2.0)),
    ],
)
def test_what_cannot_be_shown_is_refused(make):
    with pytest.raises(LSFError) as raised:
        make()
    assert raised.value.code == "bad_settings"
