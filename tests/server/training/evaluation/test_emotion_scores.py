"""What lines show: right, wrong, and sad lines that smile."""

import numpy as np

from server.protocol.emotions import EMOTIONS
from server.training.evaluation.emotion_scores import shown_emotion_scores


def row(**of: float) -> np.ndarray:
    return np.array([of.get(e, 0.0) for e in EMOTIONS])


def test_what_is_wrong_right_and_smiling():
    lines = [
        ("angry", row(angry=0.6)),
        ("angry", row(angry=0.1)),  # a hint is right, too
        ("angry", row(angry=0.5, sad=0.4)),  # the strongest is right, but a wrong one shows as well
        ("sad", row(happy=0.1)),  # a faint smile is not wrong yet, but it is a smile
        ("sad", row(happy=0.01)),  # invisible
        ("neutral", row(sad=0.2)),
        ("bored", row(sad=0.35)),
        (None, row(happy=1.0)),
    ]
    found = shown_emotion_scores([e for e, _ in lines], np.stack([r for _, r in lines]))
    assert found["angry"] == [True, True, True]
    assert found["wrong"] == [False, False, True, False, False, False, True]
    assert found["sad"] == [False, False] and found["sad smiles"] == [True, False]
    assert found["neutral"] == [True, False], "boredom counts as neutral"
