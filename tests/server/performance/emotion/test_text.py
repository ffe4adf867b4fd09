"""Directions in words. Tests that need the optional encoder package are skipped where it is not installed."""

import contextlib
import importlib.util
import sys
from typing import ClassVar

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.performance.emotion import text
from server.performance.emotion.bank import Bank
from server.performance.emotion.text_examples import EXAMPLES

from . import directions_page

NAMES = list(EXAMPLES)
SMUG = Bank.from_fields([{"name": "Smug Grin", "weights": {"mouthSmileLeft": 0.6}, "emotions": {"contempt": 0.4}}])
installed = pytest.mark.skipif(importlib.util.find_spec(text.PACKAGE) is None, reason="no text encoder here")

# None of these is among the examples.
DIRECTIONS = {
    "kicks the door in": "angry",
    "furious but controlled": "angry",
    "snaps at the child": "angry",
    "steps into dog dirt": "disgusted",
    "this tastes vile": "disgusted",
    "smells the spoiled milk": "disgusted",
    "uneasy about the plan": "fearful",
    "sees a ghost": "fearful",
    "nervous before the exam": "fearful",
    "soothing a baby": "happy",
    "triumphant": "happy",
    "over the moon": "happy",
    "mildly amused": "happy",
    "misses her mother": "sad",
    "gives up all hope": "sad",
    "his dog has died": "sad",
    "tired but relieved": "sad",
    "dumbfounded": "surprised",
    "oh my god, I had no idea": "surprised",
    "pleasantly surprised": "surprised",
    "dry and technical": "neutral",
    "sober, factual report": "neutral",
    "reads out the terms and conditions": "neutral",
    "condescending teacher": "contempt",
    "scoffs at the idea": "contempt",
    "thinks the others are peasants": "contempt",
    "barks orders": "angry",
    "lost in the woods at night": "fearful",
    "laughs at her own joke": "happy",
    "threatening, low voice": "angry",
    "petrified": "fearful",
    "apologetic": "sad",
}


def test_without_the_package_a_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(text.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LSFError, match="install it in the add-on's preferences") as error:
        text.read("kicks the door in")
    assert error.value.code == "missing_package"


def test_without_the_package_plain_words_and_features_are_read(monkeypatch):
    monkeypatch.setattr(text, "is_installed", lambda: False)
    reading = text.read("very angry, left brow up, and kicks the door in")
    assert shown(reading) == {"angry": 1.0} and reading.channels == {"browOuterUpLeft": 0.8}
    assert [(part.span, part.meaning) for part in reading.understood] == [
        ("very angry", "angry"),
        ("left brow up", "browOuterUpLeft"),
    ]
    assert reading.missed == ("kicks the door in",)


def test_the_encoder_without_the_package_that_runs_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were not installed
    with pytest.raises(LSFError, match=r'"transformers": install the text encoder again') as error:
        text._Encoder(tmp_path)
    assert error.value.code == "missing_package"


def test_another_models_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(LSFError, match="not the one that was tested"):
        text._Encoder(tmp_path)
    with pytest.raises(LSFError, match="damaged"):
        text._Encoder(tmp_path / "nothing")


@pytest.mark.parametrize("direction", ["", "   ", "x" * 301])
def test_empty_and_long_texts_are_refused(direction):
    with pytest.raises(LSFError, match="1 to 300 characters"):
        text.read(direction)


class AxisEncoder:
    """An encoder that maps the examples of an emotion but the first to one axis, and texts as `VECTORS` says."""

    VECTORS: ClassVar = {
        "bitter-sweet": 0.72 * np.eye(10)[NAMES.index("sad")] + 0.69 * np.eye(10)[NAMES.index("happy")],
        "pleased as punch": np.eye(10)[NAMES.index("happy")],
        "eyes like soup plates": np.eye(10)[8],
        "that self-satisfied air": np.eye(10)[9],
        "Smug Grin": np.eye(10)[9],
    }

    def __init__(self, folder=None):
        self.examples = np.stack([np.tile(row, (24, 1)) for row in np.eye(10)[:8]])
        self.examples[:, 0] = 0
        self.feature_names, self.features = ["eyes wide"], np.eye(10)[8:9]

    def encode(self, *texts):
        return np.stack([self.VECTORS.get(text, np.zeros(10)) for text in texts])


@pytest.fixture
def encoder(monkeypatch):
    """The texts that it has encoded."""
    encoded, real = [], AxisEncoder.encode

    def encode(self, *texts):
        encoded.extend(texts)
        return real(self, *texts)

    monkeypatch.setattr(AxisEncoder, "encode", encode)
    monkeypatch.setattr(text, "is_installed", lambda: True)
    monkeypatch.setattr(text, "_model_folder", lambda: None)
    monkeypatch.setattr(text, "_encoder", AxisEncoder)
    text._read.cache_clear()
    yield encoded
    text._read.cache_clear()  # no other test is to find what this encoder meant


def shown(reading):
    return {name: pytest.approx(amount, abs=1e-3) for name, amount in reading.emotions.items()}


def test_the_nearest_examples_decide(encoder):
    reading = text.read("bitter-sweet", SMUG)
    assert [NAMES[i] for i in np.argsort(-reading.weights)[:2]] == ["sad", "happy"]
    assert reading.weights.shape == (8,) and reading.weights.dtype == np.float32
    assert reading.weights.sum() == pytest.approx(1) and reading.strength == 1.0
    assert text.read("A Little bitter-sweet").strength == 0.4


def test_what_the_grammar_leaves_over_is_for_the_encoder(encoder):
    reading = text.read("left brow up, pleased as punch, not bitter-sweet, eyes like soup plates, hums a tune", SMUG)
    assert reading.emotions == {} and reading.strength == 1.0, "the negation wins over its own emotion"
    assert reading.channels == {"browOuterUpLeft": 0.8, "eyeWideLeft": 0.8, "eyeWideRight": 0.8}
    assert [part.meaning for part in reading.understood][1:3] == ["happy", "not sad, happy"]
    assert reading.missed == ("hums a tune",)
    assert text.read("jaw set, half that self-satisfied air", SMUG).entries == {"Smug Grin": 0.5}


def test_a_text_is_encoded_once_for_the_same_names(encoder):
    first = text.read("bitter-sweet")
    assert text.read(" bitter-sweet\n") is first and encoder == ["bitter-sweet"]
    assert text.read("bitter-sweet", SMUG) is not first
    assert encoder == ["bitter-sweet", "bitter-sweet", "Smug Grin"]
    other = Bank.from_fields([{"name": "Smug Grin", "weights": {"jawOpen": 0.2}}])
    named = text.read("half smug grin", SMUG)
    assert text.read("half smug grin", other) is named, "what an entry looks like is no part of a reading"
    assert named.pose(SMUG) == {"mouthSmileLeft": 0.3} and named.pose(other) == {"jawOpen": 0.1}
    with pytest.raises(ValueError, match="read-only"):
        first.weights[0] = 1


def test_a_text_that_is_like_nothing_is_not_understood(encoder):
    with pytest.raises(LSFError, match='"hums a tune" is not clear about a face: use other words') as error:
        text.read("hums a tune")
    assert error.value.code == "not_understood"


def test_a_reading_shows_entries_and_features_together():
    reading = text.read("half smug-grin, slightly sad, right corner of the mouth down", SMUG)
    assert reading.entries == {"Smug Grin": 0.5}
    assert reading.pose(SMUG) == {"mouthFrownRight": 0.6, "mouthSmileLeft": 0.3}
    assert reading.felt(SMUG) == {"sad": pytest.approx(0.4), "contempt": 0.2}
    direction = reading.direction(0.5, 1.0, SMUG)
    assert direction.pose()[0, CHANNELS.index("mouthFrownRight")] == pytest.approx(0.3)
    assert direction.applied_to(np.ones((1, 8)))[0, NAMES.index("sad")] == pytest.approx(0.2)


def test_what_is_negated_is_taken_from_an_emotion_and_from_nothing_else():
    teeth = text.read("happy, without showing teeth").channels
    assert teeth == dict.fromkeys(
        ["mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"], -0.3
    )
    assert text.read("don't frown").channels == {}
    assert text.read("smile less").channels["mouthSmileLeft"] == -0.2
    assert text.read("not angry").emotions == {} and text.read("not angry").weights[NAMES.index("neutral")] == 1


def test_all_emotions_of_the_protocol_have_enough_examples():
    assert NAMES == ["angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt"]
    assert all(len(set(texts)) == 24 for texts in EXAMPLES.values())
    assert not set(DIRECTIONS) & {text for texts in EXAMPLES.values() for text in texts}


@installed
def test_directions_are_understood_as_people_do():
    right = wrong = 0
    for words, emotion in DIRECTIONS.items():
        with contextlib.suppress(LSFError):
            is_right = NAMES[text.read(words).weights.argmax()] == emotion
            right, wrong = right + is_right, wrong + (not is_right)
    assert right >= 0.7 * len(DIRECTIONS) and wrong <= 0.1 * len(DIRECTIONS)


@installed
def test_the_page_of_directions_is_up_to_date():
    assert directions_page.PAGE.read_text("utf-8") == directions_page.page()
