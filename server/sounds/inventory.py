"""The sounds that the recogniser knows, in IPA, and how other symbols are written with them.

Only what the face shows is kept apart: length, stress, tone, aspiration and nasality of vowels are dropped, uvular
fricatives are one sound, and so are the affricates and fricatives of Mandarin and English that are made with the same
lips. docs/sounds.md has the table.
"""

import unicodedata

SILENCE = ""
# Symbol -> ARPAbet, as far as English has the sound; otherwise the nearest one of its vowels and consonants.
ARPABET = {
    "i": "IY",
    "ɪ": "IH",
    "e": "EY",
    "ɛ": "EH",
    "æ": "AE",
    "a": "AA",
    "ɑ": "AA",
    "ɒ": "AA",
    "ɔ": "AO",
    "o": "OW",
    "ʊ": "UH",
    "u": "UW",
    "ʌ": "AH",
    "ə": "AH",
    "ɐ": "AH",
    "ɝ": "ER",
    "y": "UW",
    "ø": "UH",
    "œ": "UH",
    "aɪ": "AY",
    "aʊ": "AW",
    "eɪ": "EY",
    "oʊ": "OW",
    "ɔɪ": "OY",
    "p": "P",
    "b": "B",
    "m": "M",
    "f": "F",
    "v": "V",
    "θ": "TH",
    "ð": "DH",
    "t": "T",
    "d": "D",
    "n": "N",
    "s": "S",
    "z": "Z",
    "l": "L",
    "ɹ": "R",
    "ɾ": "DX",
    "ʁ": "R",
    "ʃ": "SH",
    "ʒ": "ZH",
    "tʃ": "CH",
    "dʒ": "JH",
    "j": "Y",
    "k": "K",
    "ɡ": "G",
    "ŋ": "NG",
    "x": "K",
    "ç": "SH",
    "h": "HH",
    "w": "W",
}
SYMBOLS = (SILENCE, *ARPABET)
INDEX = {symbol: i for i, symbol in enumerate(SYMBOLS)}
VOWELS = frozenset(SYMBOLS[1 : SYMBOLS.index("p")])
# The viseme of each sound: one of the fifteen of MPEG-4 (ISO/IEC 14496-2, table "Viseme and related phonemes"), by the
# names that rigs with mouth shapes use.
VISEMES = {
    "sil": ("",),
    "PP": ("p", "b", "m"),
    "FF": ("f", "v"),
    "TH": ("θ", "ð"),
    "DD": ("t", "d", "ɾ"),
    "kk": ("k", "ɡ", "ŋ", "x", "h", "ʁ"),
    "CH": ("ʃ", "ʒ", "tʃ", "dʒ"),
    "SS": ("s", "z"),
    "nn": ("n", "l"),
    "RR": ("ɹ", "ɝ"),
    "aa": ("a", "ɑ", "æ", "ʌ", "ɐ", "aɪ", "aʊ"),
    "E": ("e", "ɛ", "ə", "eɪ"),
    "I": ("i", "ɪ", "j", "ç"),
    "O": ("o", "ɔ", "ɒ", "oʊ", "ɔɪ", "ø", "œ"),
    "U": ("u", "ʊ", "w", "y"),
}
VISEME = {symbol: name for name, symbols in VISEMES.items() for symbol in symbols}
# IPA that is not in the inventory -> what is spoken with the same face: one symbol, or two that share the time.
SAME = {
    "ɚ": ("ɝ",),
    "ɜ": ("ɝ",),
    "əʊ": ("oʊ",),
    "ɔy": ("ɔɪ",),
    "ɔø": ("ɔɪ",),
    "ɔʏ": ("ɔɪ",),
    "aɔ": ("aʊ",),
    "ao": ("aʊ",),
    "au": ("aʊ",),
    "ai": ("aɪ",),
    "ɑɔ": ("aʊ",),
    "ɑʊ": ("aʊ",),
    "ʏ": ("y",),
    "ɥ": ("y",),
    "ɨ": ("ɪ",),
    "ɯ": ("ɪ",),
    "ɤ": ("ʌ",),
    "ɵ": ("ø",),
    "ɘ": ("ə",),
    "ɶ": ("œ",),
    "g": ("ɡ",),
    "q": ("k",),
    "c": ("k",),
    "ɟ": ("ɡ",),
    "ɣ": ("ɡ",),
    "ɰ": ("ɡ",),
    "χ": ("x",),
    "ħ": ("h",),
    "ɦ": ("h",),
    "ʀ": ("ʁ",),
    "ɫ": ("l",),
    "ʎ": ("l",),
    "ɭ": ("l",),
    "ɬ": ("l",),
    "r": ("ɾ",),
    "ɽ": ("ɾ",),
    "ɻ": ("ɹ",),
    "ɲ": ("n",),
    "ɳ": ("n",),
    "ɴ": ("ŋ",),
    "ɱ": ("m",),
    "ʈ": ("t",),
    "ɖ": ("d",),
    "ɸ": ("f",),
    "β": ("v",),
    "ʋ": ("v",),
    "ʝ": ("j",),
    "ɕ": ("ʃ",),
    "ʂ": ("ʃ",),
    "ʑ": ("ʒ",),
    "ʐ": ("ʒ",),
    "ɧ": ("ʃ",),
    "tɕ": ("tʃ",),
    "ʈʂ": ("tʃ",),
    "dʑ": ("dʒ",),
    "ɖʐ": ("dʒ",),
    "ts": ("t", "s"),
    "dz": ("d", "z"),
    "pf": ("p", "f"),
    "ʍ": ("w",),
    "ʔ": (),
}


def spelled(symbol: str) -> tuple[str, ...]:
    """Write an IPA symbol with the sounds of the inventory.

    Args:
        symbol: A phone: one letter, an affricate or a diphthong; marks of length, stress and the like are dropped.

    Returns:
        Symbols of the inventory; none for a phone that it has no sound for, as a glottal stop.
    """
    letters = unicodedata.normalize("NFD", symbol).replace("c\u0327", "ç")
    plain = "".join(c for c in letters if unicodedata.category(c) in ("Ll", "Lo"))
    if plain == "" or plain in INDEX:
        return (plain,) if plain else ()
    if plain in SAME:
        return SAME[plain]
    if len(plain) == 1:
        return ()
    return tuple(part for letter in plain for part in spelled(letter))
