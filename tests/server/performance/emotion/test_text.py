"""Directions in words. Tests that need the optional encoder package are skipped where it is not installed."""

import importlib.util
import sys

import numpy as np
import pytest

from server.errors import LSFError
from server.performance.emotion import text
from server.performance.emotion.text_examples import EXAMPLES

NAMES = list(EXAMPLES)
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
        text.read("angry")
    assert error.value.code == "missing_package"


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


def test_the_nearest_examples_decide(monkeypatch):
    class AxisEncoder:
        """An encoder that maps all examples of an emotion but the first to one axis."""

        def __init__(self, folder):
            self.examples = np.stack([np.tile(row, (24, 1)) for row in np.eye(8)])
            self.examples[:, 0] = 0

        def encode(self, *texts):
            return np.array([0.8 * np.eye(8)[NAMES.index("sad")] + 0.6 * np.eye(8)[NAMES.index("happy")]])

    monkeypatch.setattr(text, "_model_folder", lambda: None)
    monkeypatch.setattr(text, "_encoder", AxisEncoder)
    weights, strength = text.read("bitter-sweet")
    assert [NAMES[i] for i in np.argsort(-weights)[:2]] == ["sad", "happy"]
    assert weights.shape == (8,) and weights.dtype == np.float32 and weights.sum() == pytest.approx(1)
    assert strength == 1.0 and text.read("A Little bitter-sweet")[1] == 0.5


def test_all_emotions_of_the_protocol_have_enough_examples():
    assert NAMES == ["angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt"]
    assert all(len(set(texts)) == 24 for texts in EXAMPLES.values())
    assert not set(DIRECTIONS) & {text for texts in EXAMPLES.values() for text in texts}


@installed
def test_directions_are_understood_as_people_do():
    right = [NAMES[text.read(text)[0].argmax()] == emotion for text, emotion in DIRECTIONS.items()]
    assert np.mean(right) >= 0.8
