"""The sounds of the corpora, written with the recogniser's inventory (server/sounds/inventory.py)."""

from itertools import pairwise

import numpy as np

from ...sounds.inventory import INDEX, SILENCE, VOWELS, spelled
from ..corpora import Clip, required
from .phonetics import Phone

UNKNOWN = -1
SCHWA, STRUT = INDEX["ə"], INDEX["ʌ"]
# Corpora whose alphabet, ARPAbet, has one sign for both of these vowels: either is right.
ARPABET_CORPORA = frozenset({"grid", "ljspeech"})
# What is said with the same face in English, but written with signs of another sound.
KOKORO_EN = {"ɐ": "ə", "a": "æ", "ɾ": "t"}
EMODB = {"ɑ": "a", "ð": "d"}


def sounds(clip: Clip) -> list[Phone]:
    """Return the sounds of a clip with their times; pauses are SILENCE.

    Args:
        clip: A clip with phones.
    """
    own = {"kokoro": KOKORO_EN, "emodb": EMODB}.get(clip.corpus, {})
    found: list[Phone] = []
    phones = required(clip.phones)
    for place, (symbol, start, end) in enumerate(phones):
        after = phones[place + 1][0] if place + 1 < len(phones) else SILENCE
        parts = spelled(own.get(symbol, symbol)) or (SILENCE,)
        if clip.corpus == "kokoro" and symbol == "ɹ" and found and _is_rhotic(found[-1][0], after):
            found[-1] = ("ɝ", found[-1][1], end)
            continue
        edges = np.linspace(start, end, len(parts) + 1)
        found += [(part, float(a), float(b)) for part, (a, b) in zip(parts, pairwise(edges), strict=True)]
    return _joined(found)


def _is_rhotic(before: str, after: str) -> bool:
    """Whether ɹ ends a vowel that other corpora have as one sound, ɝ: in "bird", and at the end of "letter"."""
    return before == "ɝ" or (before == "ə" and (spelled(after) or ("",))[0] not in VOWELS)


def _joined(phones: list[Phone]) -> list[Phone]:
    """Join pauses that follow each other."""
    joined: list[Phone] = []
    for symbol, start, end in phones:
        if joined and joined[-1][0] == symbol == SILENCE:
            joined[-1] = (SILENCE, joined[-1][1], end)
        else:
            joined.append((symbol, start, end))
    return joined


def labels_at(clip: Clip, times: np.ndarray) -> np.ndarray:
    """Return the class (n,) at each time (n,) in seconds; UNKNOWN where the clip tells nothing."""
    phones = sounds(clip)
    if not phones:  # without speech
        return np.zeros(len(times), np.int64)
    starts, ends = np.array([p[1] for p in phones]), np.array([p[2] for p in phones])
    row = np.clip(np.searchsorted(starts, times, "right") - 1, 0, None)
    classes = np.array([INDEX[p[0]] for p in phones])
    inside = (times >= starts[row]) & (times < ends[row])
    return np.where(inside, classes[row], 0)
