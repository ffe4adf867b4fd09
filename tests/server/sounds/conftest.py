import shutil

import numpy as np
import pytest
import torch

from server.model import LSF
from server.sounds import transcript
from server.sounds.inventory import INDEX, SYMBOLS
from server.sounds.listener import FILE_NAME
from server.sounds.network import SoundNet, features_digest

WORDS = {"map": ("m", "ˈæ", "p"), "shoe": ("ʃ", "ˈuː"), "…": ()}


class FakePronouncer:
    """Knows three words in English; other languages spell every letter as "m"."""

    def pronounce(self, words, language):
        if language != "en":
            return [("m",) * len(word) for word in words]
        return [WORDS.get(word.lower(), ("t",)) for word in words]


@pytest.fixture
def dictionary(monkeypatch):
    """Words that can be pronounced without espeak-ng."""
    monkeypatch.setattr(transcript, "pronouncer", FakePronouncer)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, small_checkpoint):
    """A tiny model with a recogniser of its own, with random weights."""
    folder = tmp_path_factory.mktemp("heard") / "tiny"
    shutil.copytree(small_checkpoint, folder)
    model = LSF.from_pretrained(folder)
    torch.manual_seed(1)
    SoundNet(model.motion_norm.size, ("", "en"), features_digest(model), 16, 1).save(folder / FILE_NAME)
    return folder


class Certain:
    """A recogniser whose features are the classes of the frames themselves, at 100 Hz."""

    languages = ("", "en")
    scale = torch.ones(2 * len(SYMBOLS))
    log_prior = torch.full((len(SYMBOLS),), -float(np.log(len(SYMBOLS))))
    bigrams = torch.full((2, len(SYMBOLS), len(SYMBOLS)), -float(np.log(len(SYMBOLS))))
    durations = torch.tensor([-2.5, 0.5]).repeat(len(SYMBOLS), 1)
    language_row = SoundNet.language_row

    def log_posteriors(self, rows):
        logits = rows.reshape(-1, len(SYMBOLS)).astype(np.float32)
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))


@pytest.fixture
def network():
    return Certain()


@pytest.fixture
def say():
    """say(("m", 8), ("", 4)): motion features (F, 4 · S) of frames at 25 fps in which these sounds are sure."""

    def features(*parts):
        labels = np.concatenate([[INDEX[symbol]] * count for symbol, count in parts])
        labels = np.append(labels, np.zeros(-len(labels) % 4, int))
        return (6 * np.eye(len(SYMBOLS))[labels]).reshape(len(labels) // 4, -1).astype(np.float16)

    return features
