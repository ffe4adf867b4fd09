"""Phones with their times for the people whose words alone are known, by forced alignment.

All of GRID's speakers say the same words. So the phones of a word are taken from the labelled speaker, and a small
network (speech/align.py) that learned them in his clips finds them in the others' sound.
"""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from ...files.audio import load_16k
from ...model import LSF
from ...numerics import FloatArray
from .. import corpora
from ..corpora import Clip, required
from ..speech import align
from ..speech.phonetics import ARPABET, to_ipa

TRAINING_CLIPS, STEPS = 150, 500  # with 100 and 200, phones of some people were 0.3 s off
MIN_AGREEMENT = 0.7  # a clip with less (`align.agreement`) is left out


def pronunciations(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the IPA symbols of every word of GRID, as they are labelled most often.

    Args:
        folder: Folder of GRID's labelled speaker, with words and phones in its index.json.
    """
    counts: dict[str, Counter[tuple[str, ...]]] = {}
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")).values():
        phones = to_ipa(entry["phones"], ARPABET)
        for word, start, end in entry["words"]:
            said = tuple(symbol for symbol, a, b in phones if symbol and start <= (a + b) / 2 < end)
            counts.setdefault(word, Counter())[said] += 1
    return {word: said.most_common(1)[0][0] for word, said in counts.items()}


@torch.inference_mode()
def projected_features(model: LSF, audio: FloatArray) -> FloatArray:
    """Return the projected motion features (T, C) at 50 Hz of speech (N,) at 16 kHz."""
    motion, _ = model.encode_audio(torch.from_numpy(np.asarray(audio, np.float32)))
    features: FloatArray = model.motion_norm(motion).numpy()
    return features


def train_aligner(model: LSF, clips: list[Clip]) -> align.PhoneNet:
    """Train a network that classifies phones on clips with phones."""
    examples = []
    for clip in clips:
        rows = projected_features(model, load_16k(clip.audio))
        examples.append((rows, align.symbols_at(required(clip.phones), np.arange(len(rows)) / align.FEATURE_RATE)))
    return align.train(examples, STEPS)


@cache
def aligned_people(model: LSF, data: Path) -> list[Clip]:
    """Return the clips of the people with their phones; clips whose phones are uncertain are left out.

    Training takes a minute, so the result is kept for all measures of a model.
    """
    said = pronunciations(data / corpora.READERS["grid"][0])
    training = [clip for clip in corpora.read("grid", data) if clip.split == "train"][:TRAINING_CLIPS]
    network = train_aligner(model, training)
    found = []
    for clip in corpora.read("people", data):
        symbols = [symbol for word in required(clip.text).split() for symbol in (*said[word], "")]
        rows = projected_features(model, load_16k(clip.audio))
        phones = align.align(network, rows, symbols)
        if align.agreement(network, rows, phones) >= MIN_AGREEMENT:
            found.append(replace(clip, phones=phones))
    return found
