"""Phones as articulatory features, so that a model of one speaker's 51 words can say all sounds.

ARPAbet (GRID, LJSpeech) and Kokoro's alphabet are both written to IPA; a phone is then a point in a space where ʒ lies
beside ʃ and z, and ɔ between o and ɑ. Charts: International Phonetic Association (1999). Only what moves the face
counts: length, tone, aspiration, palatalisation and nasality of vowels are dropped, uvular sounds are written as velar.
"""

import re
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .. import FPS

Phone = tuple[str, float, float]  # IPA symbol ("" is silence), start, end in seconds
OPENING = 0.06  # seconds before the first sound at which a resting mouth begins to open; as long after, it has opened
CLOSING = 0.08  # seconds after the last sound until it rests again
PAUSE = 0.1  # seconds without a phone in which the mouth need not rest

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

#            height back round (open 0 .. close 1, front 0 .. back 1, spread 0 .. rounded 1)
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
# How wide the mouth opens by the charts, 1 on an open vowel, as viseme sets for animation have it: on a close vowel, on
# consonants by PLACES, what a manner adds, and the share that full rounding takes away.
CLOSE_VOWEL = 0.2
CONSONANT = np.array([0, 0.08, 0.2, 0.2, 0.18, 0.22, 0.3, 0.4])
LATERAL, RHOTIC, SIBILANT = 0.15, 0.1, -0.08
ROUNDING = 0.3
GLIDE = 0.035  # seconds, standard deviation: lips glide from one opening to the next


def to_ipa(entries, alphabet: dict[str, str]) -> list[Phone]:
    """(symbol, start, end, ...) in ARPABET or KOKORO -> phones; stress digits and MODIFIERS go, silences become ""."""
    strip = partial(re.sub, rf"(?<=[A-Z])\d$|[{MODIFIERS}]", "")
    silence = {"", "sil", "sp", "spn", "SIL"}
    phones = [("" if e[0] in silence else strip(e[0]), float(e[1]), float(e[2])) for e in entries]
    return [(alphabet.get(symbol, symbol), start, end) for symbol, start, end in phones]


def vector(symbol: str) -> np.ndarray:
    """(2, len(FEATURES)) features at the beginning and at the end of an IPA phone; they differ in diphthongs."""
    rows = np.zeros((2, len(FEATURES)), np.float32)
    if symbol in CONSONANTS:
        for name in CONSONANTS[symbol].split():
            rows[:, COLUMN[name]] = 1
    elif symbol and all(c in VOWELS for c in symbol):
        rows[:, COLUMN["vowel"]] = rows[:, COLUMN["voiced"]] = 1
        for row, part in zip(rows, (symbol[0], symbol[-1]), strict=True):
            row[COLUMN["height"]], row[COLUMN["back"]], row[COLUMN["round"]] = VOWELS[part]
    else:  # silence, and whatever neither alphabet knows
        rows[:, COLUMN["silence"]] = 1
    return rows


def phone_frames(phones: list[Phone], frames: int, samples: int = 4) -> np.ndarray:
    """(frames, samples, len(FEATURES)) features around each frame at 25 fps, sampled `samples` times a frame."""
    times = ((np.arange(frames * samples) + 0.5) / samples - 0.5) / FPS
    out = np.zeros((len(times), len(FEATURES)), np.float32)
    out[:, COLUMN["silence"]] = 1
    for symbol, start, end in phones:
        inside = (times >= start) & (times < end)
        if inside.any():
            first, last = vector(symbol)
            through = np.clip((times[inside, None] - start) / max(end - start, 1e-3) * 1.6 - 0.3, 0, 1)
            out[inside] = first + through * (last - first)
    return out.reshape(frames, samples, -1)


def charted_opening(features: np.ndarray) -> np.ndarray:
    """(frames,) how wide a mouth opens by the charts, 1 on a long a: vowels by their height, consonants by place.

    `features` (frames, samples, len(FEATURES)) are those of phone_frames.
    """
    frames, samples, _ = features.shape
    features = features.reshape(frames * samples, -1)

    def column(name: str) -> np.ndarray:
        return features[:, COLUMN[name]]

    places = features[:, [COLUMN[name] for name in PLACES]]
    consonant = (
        places @ CONSONANT / places.sum(1).clip(1)
        + LATERAL * column("lateral")
        + RHOTIC * column("rhotic")
        + SIBILANT * column("alveolar") * column("fricative")
    )
    vowel = column("vowel") * (1 - (1 - CLOSE_VOWEL) * column("height"))
    opening = (consonant + vowel) * (1 - ROUNDING * column("round")) * (1 - column("silence"))
    smooth = gaussian_filter1d(opening, GLIDE * FPS * samples, mode="nearest")
    return smooth.reshape(frames, samples).mean(1)


def presence(phones: list[Phone], frames: int, symbols: set[str], ramp: float) -> np.ndarray:
    """(frames,) 1 inside the given IPA phones, falling to 0 as a raised cosine within `ramp` seconds outside."""
    times = np.arange(frames) / FPS
    weight = np.zeros(frames, np.float32)
    for symbol, start, end in phones:
        if symbol in symbols:
            outside = np.maximum(np.maximum(start - times, times - end), 0)
            weight = np.maximum(weight, 0.5 + 0.5 * np.cos(np.pi * np.clip(outside / ramp, 0, 1)))
    return weight.astype(np.float32)


def speaking(phones: list[Phone], frames: int) -> np.ndarray:
    """(frames,) 1 where a mouth speaks, 0 where it rests, with raised cosines between."""
    runs: list[list[float]] = []
    for symbol, start, end in phones:
        if symbol and runs and start - runs[-1][1] < PAUSE:
            runs[-1][1] = end
        elif symbol:
            runs.append([start, end])
    times = np.arange(frames) / FPS
    weight = np.zeros(frames, np.float32)
    for start, end in runs:
        opened = np.clip((times - start + OPENING) / (2 * OPENING), 0, 1)
        closed = np.clip((times - end) / CLOSING, 0, 1)
        weight = np.maximum(weight, 0.5 - 0.5 * np.cos(np.pi * np.minimum(opened, 1 - closed)))
    return weight.astype(np.float32)
