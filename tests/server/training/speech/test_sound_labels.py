"""Sounds of the corpora in the recogniser's inventory."""

from pathlib import Path

import numpy as np
import pytest

from server.sounds.inventory import INDEX
from server.training.corpora import Clip
from server.training.speech.sound_labels import labels_at, sounds


def clip(corpus, *phones):
    """A clip whose phones follow each other, 0.1 s each."""
    return Clip(corpus, "a", "b", Path(), "train", [(symbol, i / 10, (i + 1) / 10) for i, symbol in enumerate(phones)])


@pytest.mark.parametrize(
    ("corpus", "phones", "expected"),
    [
        ("kokoro", ["b", "ɜ", "ɹ", "d"], ["b", "ɝ", "d"]),  # bird
        ("kokoro", ["l", "ɛ", "ɾ", "ə", "ɹ", ""], ["l", "ɛ", "t", "ɝ", ""]),  # letter
        ("kokoro", ["ə", "ɹ", "aʊ", "n", "d"], ["ə", "ɹ", "aʊ", "n", "d"]),  # around
        ("kokoro", ["ɐ", "k", "a", "t"], ["ə", "k", "æ", "t"]),  # a cat
        ("emodb", ["ʔ", "", "ɑ", "ɔy", "χ"], ["", "a", "ɔɪ", "x"]),
        ("kokoro_more", ["ts", "ɕ", "r"], ["t", "s", "ʃ", "ɾ"]),
        ("ljspeech", ["ɝ", "ɹ", "ʌ"], ["ɝ", "ɹ", "ʌ"]),
    ],
)
def test_sounds_are_those_of_the_inventory(corpus, phones, expected):
    said = sounds(clip(corpus, *phones))
    assert [symbol for symbol, _, _ in said] == expected
    assert said[0][1] == 0 and said[-1][2] == pytest.approx(len(phones) / 10)


def test_labels_at_times():
    labels = labels_at(clip("emodb", "m", "ts"), np.array([-0.1, 0.05, 0.12, 0.17, 0.3]))
    assert labels.tolist() == [0, INDEX["m"], INDEX["t"], INDEX["s"], 0]
    assert labels_at(clip("non_speech"), np.array([0.0, 1.0])).tolist() == [0, 0]
