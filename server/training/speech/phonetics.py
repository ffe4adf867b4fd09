"""Phones in IPA: conversion to it, similarity by articulatory features, and activity over time.

ARPAbet (GRID, LJSpeech) and Kokoro's alphabet are converted to IPA. A phone is then a vector in which ʒ is close to ʃ
and z, and ɔ lies between o and ɑ. The features are those of the charts of the International Phonetic Association
(1999). Only features that move the face are kept: length, tone, aspiration, palatalisation and nasality of vowels are
dropped, and uvular sounds are treated as velar.
"""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from ...numerics import FloatArray
from .. import FPS

Phone: TypeAlias = tuple[str, float, float]  # IPA symbol ("" is silence), start, end in seconds
# A resting mouth begins to open this long before the first sound begins, and is fully open this long after it.
# docs/training.md has the measurements.
ONSET_SECONDS = 0.06
RELEASE_SECONDS = 0.08  # from the end of the last sound until the mouth rests
MIN_REST_SECONDS = 0.1  # a shorter gap between phones does not close the mouth

ARPABET = {
    "AA": "ɑ",
    "AE": "æ",
    "AH": "ʌ",
    "AO": "ɔ",
    "AW": "aʊ",
    "AY": "aɪ",
    "B": "b",
    "CH": "tʃ",
    "D": "d",
    "DH": "ð",
    "EH": "ɛ",
    "ER": "ɝ",
    "EY": "eɪ",
    "F": "f",
    "G": "ɡ",
    "HH": "h",
    "IH": "ɪ",
    "IY": "i",
    "JH": "dʒ",
    "K": "k",
    "L": "l",
    "M": "m",
    "N": "n",
    "NG": "ŋ",
    "OW": "oʊ",
    "OY": "ɔɪ",
    "P": "p",
    "R": "ɹ",
    "S": "s",
    "SH": "ʃ",
    "T": "t",
    "TH": "θ",
    "UH": "ʊ",
    "UW": "u",
    "V": "v",
    "W": "w",
    "Y": "j",
    "Z": "z",
    "ZH": "ʒ",
}
# Symbols of Kokoro's alphabet that are not IPA -> IPA. All others are IPA already.
KOKORO = {
    "A": "eɪ",
    "I": "aɪ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "ʧ": "tʃ",
    "ʤ": "dʒ",
    "ᵻ": "ɨ",
    "ᵊ": "ə",
    "T": "ɾ",
    "g": "ɡ",
    "ɚ": "ɝ",
    "ʦ": "ts",
    "ʣ": "dz",
    "ʨ": "tɕ",
    "ʥ": "dʑ",
    "ꭧ": "ʈʂ",
}
MODIFIERS = "\u0303ːʰʲᵝ"  # nasal, long, aspirated, palatalised, compressed

# Height (0 open, 1 close), backness (0 front, 1 back), rounding (0 spread, 1 rounded).
VOWELS = {
    "i": (1.0, 0.0, 0.0),
    "ɪ": (0.8, 0.2, 0.0),
    "ɨ": (0.8, 0.4, 0.0),
    "e": (0.7, 0.0, 0.0),
    "ɛ": (0.4, 0.0, 0.0),
    "æ": (0.15, 0.1, 0.0),
    "a": (0.0, 0.3, 0.0),
    "ɑ": (0.0, 0.8, 0.0),
    "ɒ": (0.05, 1.0, 0.5),
    "ɐ": (0.2, 0.5, 0.0),
    "ʌ": (0.3, 0.6, 0.0),
    "ə": (0.5, 0.5, 0.0),
    "ɜ": (0.45, 0.5, 0.1),
    "ɝ": (0.5, 0.5, 0.3),
    "ɔ": (0.35, 1.0, 0.7),
    "o": (0.65, 1.0, 0.8),
    "ʊ": (0.8, 0.8, 0.6),
    "u": (1.0, 0.9, 1.0),
    "y": (1.0, 0.0, 1.0),
    "ø": (0.7, 0.0, 0.9),
    "œ": (0.4, 0.0, 0.7),
    "ɯ": (1.0, 0.9, 0.0),
    "ɤ": (0.65, 1.0, 0.0),
}
PLACES = ("bilabial", "labiodental", "dental", "alveolar", "postalveolar", "palatal", "velar", "glottal")
MANNERS = ("stop", "fricative", "nasal", "lateral", "rhotic", "glide")
CONSONANTS = {
    "p": "bilabial stop",
    "b": "bilabial stop voiced",
    "m": "bilabial nasal voiced",
    "f": "labiodental fricative",
    "v": "labiodental fricative voiced",
    "θ": "dental fricative",
    "ð": "dental fricative voiced",
    "t": "alveolar stop",
    "d": "alveolar stop voiced",
    "ɾ": "alveolar stop voiced",
    "n": "alveolar nasal voiced",
    "s": "alveolar fricative",
    "z": "alveolar fricative voiced",
    "l": "alveolar lateral voiced",
    "ɹ": "alveolar rhotic voiced round",
    "ʃ": "postalveolar fricative round",
    "ʒ": "postalveolar fricative voiced round",
    "tʃ": "postalveolar stop fricative round",
    "dʒ": "postalveolar stop fricative voiced round",
    "j": "palatal glide voiced",
    "k": "velar stop",
    "ɡ": "velar stop voiced",
    "ŋ": "velar nasal voiced",
    "x": "velar fricative",
    "h": "glottal fricative",
    "w": "velar glide voiced round",
    "ʔ": "glottal stop",
    "ɸ": "bilabial fricative",
    "β": "bilabial fricative voiced",
    "ʋ": "labiodental glide voiced",
    "ts": "alveolar stop fricative",
    "dz": "alveolar stop fricative voiced",
    "r": "alveolar rhotic voiced",
    "ʂ": "postalveolar fricative",
    "ʈʂ": "postalveolar stop fricative",
    "ɻ": "postalveolar rhotic voiced",
    "ʈ": "postalveolar stop",
    "ɖ": "postalveolar stop voiced",
    "ɳ": "postalveolar nasal voiced",
    "ɽ": "postalveolar stop voiced",
    "ɕ": "postalveolar palatal fricative",
    "tɕ": "postalveolar palatal stop fricative",
    "dʑ": "postalveolar palatal stop fricative voiced",
    "ç": "palatal fricative",
    "ʝ": "palatal fricative voiced",
    "c": "palatal stop",
    "ɟ": "palatal stop voiced",
    "ɲ": "palatal nasal voiced",
    "ʎ": "palatal lateral voiced",
    "ɥ": "palatal glide voiced round",
    "ɣ": "velar fricative voiced",
    "χ": "velar fricative",
    "ʁ": "velar fricative voiced",
    "ɰ": "velar glide voiced",
    "ɴ": "velar nasal voiced",
    "q": "velar stop",
}
FEATURES = ("silence", "vowel", "height", "back", "round", *PLACES, *MANNERS, "voiced")
COLUMN = {name: i for i, name in enumerate(FEATURES)}


def to_ipa(entries: Iterable[Sequence[str | float]], alphabet: dict[str, str]) -> list[Phone]:
    """Convert phones of a corpus to IPA, without stress digits and MODIFIERS; silences become "".

    Args:
        entries: (symbol, start, end, ...) of each phone, times in seconds.
        alphabet: ARPABET or KOKORO. Symbols that it lacks are IPA already.
    """
    strip = partial(re.sub, rf"(?<=[A-Z])\d$|[{MODIFIERS}]", "")
    silence = {"", "sil", "sp", "spn", "SIL"}
    phones = [("" if e[0] in silence else strip(str(e[0])), float(e[1]), float(e[2])) for e in entries]
    return [(alphabet.get(symbol, symbol), start, end) for symbol, start, end in phones]


def phone_features(symbol: str) -> FloatArray:
    """Return the features (2, len(FEATURES)) at the start and the end of an IPA phone; they differ in diphthongs.

    A symbol that is not in the tables has the features of silence.
    """
    rows = np.zeros((2, len(FEATURES)), np.float32)
    if symbol in CONSONANTS:
        for name in CONSONANTS[symbol].split():
            rows[:, COLUMN[name]] = 1
    elif symbol and all(c in VOWELS for c in symbol):
        rows[:, COLUMN["vowel"]] = rows[:, COLUMN["voiced"]] = 1
        for row, part in zip(rows, (symbol[0], symbol[-1]), strict=True):
            row[COLUMN["height"]], row[COLUMN["back"]], row[COLUMN["round"]] = VOWELS[part]
    else:
        rows[:, COLUMN["silence"]] = 1
    return rows


def phone_activation(phones: list[Phone], frames: int, symbols: set[str], ramp: float) -> FloatArray:
    """Return 1 inside certain phones, falling to 0 outside them as a raised cosine.

    Args:
        phones: Phones with their times.
        frames: Number of frames at 25 fps.
        symbols: The IPA symbols that count.
        ramp: Length of the fall in seconds.

    Returns:
        (frames,) float32, 0 to 1.
    """
    times = np.arange(frames) / FPS
    weight = np.zeros(frames, np.float32)
    for symbol, start, end in phones:
        if symbol in symbols:
            outside = np.maximum(np.maximum(start - times, times - end), 0)
            weight = np.maximum(weight, 0.5 + 0.5 * np.cos(np.pi * np.clip(outside / ramp, 0, 1)))
    return weight.astype(np.float32)


def speech_activity(phones: list[Phone], frames: int) -> FloatArray:
    """Return (frames,) float32 at 25 fps: 1 where the mouth speaks, 0 where it rests, raised cosines between.

    The ramps last from ONSET_SECONDS before to ONSET_SECONDS after the first sound of a run of phones, and
    RELEASE_SECONDS after its last one.
    """
    runs: list[list[float]] = []
    for symbol, start, end in phones:
        if symbol and runs and start - runs[-1][1] < MIN_REST_SECONDS:
            runs[-1][1] = end
        elif symbol:
            runs.append([start, end])
    times = np.arange(frames) / FPS
    weight = np.zeros(frames, np.float32)
    for start, end in runs:
        opened = np.clip((times - start + ONSET_SECONDS) / (2 * ONSET_SECONDS), 0, 1)
        closed = np.clip((times - end) / RELEASE_SECONDS, 0, 1)
        weight = np.maximum(weight, 0.5 - 0.5 * np.cos(np.pi * np.minimum(opened, 1 - closed)))
    return weight.astype(np.float32)
