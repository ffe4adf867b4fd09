"""EmoDB's hand-made phone labels as phones.

The labels are segments of sound in a narrow transcription (SAMPA with marks of the Berlin phoneticians). A row is
`[time, label]`. The time is the **start** of the segment: with starts, the closures of stops are 26 to 34 dB below
the loud parts and vowels 3 to 7 dB below; with ends, it would be the other way round. The last label, ".", is the end
of the speech.

Several segments are one phone for the face:

- a stop is its closure `t` (`_t` after silence), its burst `!t` and its aspiration `tasp`;
- a row that begins with a sign, as `-sth` (the voice ends) or `+lar` (creak begins), is a change within a phone;
- marks after a blank (`+asp`, `+nas`, stress 1 to 3) do not move the lips or are in neighbouring rows, as in
  `b +na`, `m +sil` for a [bm̩] that was spoken instead of [bən].

`(` is a pause and `(gef` one with breath; both are silence.
"""

import re
from collections.abc import Sequence

from .phonetics import Phone

SILENT = {".", "(", "(gef"}
# Label -> IPA symbol of the tables of phonetics.py. `V` and `8` are weak labial consonants: "ich will", "besucht".
SYMBOLS = {
    "a": "a",
    "A": "ɑ",
    "e": "e",
    "E": "ɛ",
    "i": "i",
    "I": "ɪ",
    "o": "o",
    "O": "ɔ",
    "u": "u",
    "U": "ʊ",
    "y": "y",
    "Y": "y",  # the charts' ʏ, which the tables do not have
    "9": "œ",
    "@": "ə",
    "6": "ɐ",
    "p": "p",
    "b": "b",
    "m": "m",
    "f": "f",
    "v": "v",
    "V": "v",
    "B": "β",
    "8": "β",
    "t": "t",
    "d": "d",
    "n": "n",
    "s": "s",
    "z": "z",
    "l": "l",
    "L": "l",
    "S": "ʃ",
    "D": "ð",
    "j": "j",
    "J": "j",
    "C": "ç",
    "k": "k",
    "g": "ɡ",
    "N": "ŋ",
    "x": "x",
    "G": "ɣ",
    "X": "χ",
    "4": "ʁ",
    "R": "ʁ",
    "h": "h",
    "H": "h",
    "?": "ʔ",
}
STOPS = frozenset("pbtdɡk")
MIN_PHONE = 1e-4  # seconds: times are rounded to this


def _symbol(letters: str) -> str:
    """Return the IPA symbol of one label without its marks; raise ValueError if it is unknown."""
    if letters in SYMBOLS:
        return SYMBOLS[letters]
    if len(set(letters)) == 1 and letters[0] in SYMBOLS:  # `nn`: a long sound
        return SYMBOLS[letters[0]]
    if len(letters) == 2 and set(letters) <= set("aAeEiIoOuUyY96@"):  # a diphthong
        return SYMBOLS[letters[0]] + SYMBOLS[letters[1]]
    raise ValueError(f"EmoDB's phone label {letters!r} is not known.")


def read_label(label: str) -> tuple[str | None, bool]:
    """Read one label.

    Args:
        label: As in labels.json: sounds, then marks.

    Returns:
        The IPA symbol ("" for silence; None if the row is only a change within the phone before it), and whether the
        row is the release of a stop, which belongs to the closure before it if there is one.

    Raises:
        ValueError: The label is not known.
    """
    word = label.split()[0]
    if word in SILENT:
        return "", False
    if word[0] in "+-[" or word in ("hoe", "!"):
        return None, False
    letters = re.split(r"[+-]", word)[0]
    aspiration = re.fullmatch(r"([pbtdkg])(asp|as|sap)", letters)
    if aspiration:
        return _symbol(aspiration[1]), True
    if letters.startswith("!"):
        return _symbol(letters[1:]), True
    return _symbol(letters.removeprefix("_")), False


def to_phones(rows: Sequence[tuple[float, str]], seconds: float) -> list[Phone]:
    """Convert the labels of a clip to phones that cover it without gaps.

    Args:
        rows: Start in seconds and label of each segment.
        seconds: Length of the clip.

    Returns:
        The phones, silence before the first and after the last label included.

    Raises:
        ValueError: A label is not known.
    """
    symbols, starts = [""], [0.0]
    for start, label in rows:
        symbol, release = read_label(label)
        inside = symbol is None or (release and symbols[-1] in STOPS) or symbol == symbols[-1] == ""
        if not inside and symbol is not None:
            symbols.append(symbol)
            starts.append(round(start, 4))
    ends = [*starts[1:], round(seconds, 4)]
    return [(s, a, b) for s, a, b in zip(symbols, starts, ends, strict=True) if b - a >= MIN_PHONE]
