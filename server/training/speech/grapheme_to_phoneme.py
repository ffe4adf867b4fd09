"""Grapheme-to-phoneme conversion of many languages to Kokoro's alphabet.

The program `espeak-ng` converts most languages to IPA. Mandarin goes through pinyin, which the package `pypinyin` finds
for the characters. A sound that Kokoro does not have becomes the nearest one that it has.
"""

import re
import subprocess
import unicodedata

from .kokoro import PAUSES, VOCABULARY

PUNCTUATION = str.maketrans("，、。！？；：’", ",,.!?;:'", "¡¿")
# espeak-ng's IPA, affricates and diphthongs tied with "^" -> Kokoro's symbol.
IPA_SYMBOLS = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "ɔ^ɪ": "Y",
    "ɔ^ø": "Y",
    "t^s": "ʦ",
    "d^z": "ʣ",
    "t^ʃ": "ʧ",
    "d^ʒ": "ʤ",
    "t^ɕ": "ʨ",
    "d^ʑ": "ʥ",
    "ʏ": "y",
    "ʀ": "ʁ",
    "ɽ": "ɾ",
    "g": "ɡ",
    "ɫ": "l",
    "ʑ": "ʥ",
}
# Corrections of espeak-ng's transcription by language, applied afterwards.
CORRECTIONS = {
    "de": {"ɜ": "ɐ"},
    "fr": {"yˈi": "ˈɥi"},
    "ja": {"u\u0303": "ɴ", "oɯ": "oː"},
    "pt-br": {"y": "i", "æ": "ɐ"},
}
COMBINING_MARKS = {"\u0303", "\u0327"}  # of nasal vowels and of ç; Kokoro has no others

# Pinyin -> Kokoro's alphabet.
INITIALS = {
    "b": "p",
    "p": "pʰ",
    "m": "m",
    "f": "f",
    "d": "t",
    "t": "tʰ",
    "n": "n",
    "l": "l",
    "g": "k",
    "k": "kʰ",
    "h": "x",
    "j": "ʨ",
    "q": "ʨʰ",
    "x": "ɕ",
    "zh": "ꭧ",
    "ch": "ꭧʰ",
    "sh": "ʂ",
    "r": "ɻ",
    "z": "ʦ",
    "c": "ʦʰ",
    "s": "s",
    "": "",
}
FINALS = {
    "a": "a",
    "o": "wo",
    "e": "ɤ",
    "ai": "ai",
    "ei": "ei",
    "ao": "au",
    "ou": "ou",
    "an": "an",
    "en": "ən",
    "ang": "aŋ",
    "eng": "əŋ",
    "ong": "ʊŋ",
    "er": "ɚ",
    "i": "i",
    "ia": "ja",
    "ie": "je",
    "iao": "jau",
    "iu": "jou",
    "iou": "jou",
    "ian": "jɛn",
    "in": "in",
    "iang": "jaŋ",
    "ing": "iŋ",
    "iong": "jʊŋ",
    "u": "u",
    "ua": "wa",
    "uo": "wo",
    "uai": "wai",
    "ui": "wei",
    "uei": "wei",
    "uan": "wan",
    "un": "wən",
    "uen": "wən",
    "uang": "waŋ",
    "ueng": "wəŋ",
    "v": "y",
    "ve": "ɥe",
    "van": "ɥɛn",
    "vn": "yn",
    "io": "jo",
}
TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


def text_to_phonemes(text: str, language: str) -> str:
    """Convert a text to phonemes and punctuation in Kokoro's alphabet.

    Args:
        text: Sentences.
        language: espeak-ng's name of the language ("de", "cmn").

    Returns:
        Symbols of kokoro.VOCABULARY.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
        subprocess.CalledProcessError: espeak-ng does not know the language.
    """
    clauses = re.split(rf"\s*([{re.escape(PAUSES)}])\s*", text.translate(PUNCTUATION))

    def convert(clause: str) -> str:
        return convert_mandarin(clause) if language == "cmn" else convert_with_espeak(clause, language)

    # `split` returns clauses at even indices, the pauses between them at odd ones.
    phonemes = "".join((convert(part) if i % 2 == 0 else part + " ") for i, part in enumerate(clauses) if part)
    return "".join(symbol for symbol in phonemes if symbol in VOCABULARY).strip()


def convert_with_espeak(clause: str, language: str) -> str:
    """Convert a clause without punctuation; `language` is espeak-ng's name of its language."""
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, clause]
    ipa = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    return ipa_to_kokoro(" ".join(ipa.split()), CORRECTIONS.get(language, {}))


def ipa_to_kokoro(ipa: str, corrections: dict[str, str]) -> str:
    """Convert IPA as espeak-ng writes it to Kokoro's alphabet, then apply the language's CORRECTIONS."""
    ipa = re.sub(r"\([\^\u200da-z-]+\)", "", ipa)  # espeak-ng marks a change of the language in parentheses
    kept = "".join(c for c in unicodedata.normalize("NFD", ipa) if not unicodedata.combining(c) or c in COMBINING_MARKS)
    kept = kept.replace("c\u0327", "ç")
    for tied, symbol in IPA_SYMBOLS.items():
        kept = kept.replace(tied, symbol)
    kept = kept.replace("ᵝ", "").replace("^", "")
    for wrong, right in corrections.items():
        kept = kept.replace(wrong, right)
    return kept


def convert_mandarin(clause: str) -> str:
    """Convert a clause of Chinese characters without punctuation."""
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(clause, Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True)
    return "".join(pinyin_to_phonemes(s) for s in syllables if re.fullmatch("[a-zü]+[1-5]", s))


def pinyin_to_phonemes(pinyin: str) -> str:
    """Convert one syllable with the number of its tone, `ü` or `v` for the rounded vowel, to Kokoro's alphabet."""
    sounds, tone = pinyin[:-1].replace("ü", "v"), pinyin[-1]
    for spelling, final in (("yu", "v"), ("yi", "i"), ("y", "i"), ("wu", "u"), ("w", "u")):
        if sounds.startswith(spelling):
            return FINALS[final + sounds[len(spelling) :]] + TONES[tone]
    initial = next(i for i in (sounds[:2], sounds[:1], "") if i in INITIALS)
    final = sounds[len(initial) :]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "v" + final[1:]
    apical = final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s")
    return INITIALS[initial] + ("ɨ" if apical else FINALS[final]) + TONES[tone]
