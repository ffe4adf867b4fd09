"""Text in other languages -> Kokoro's alphabet.

The program `espeak-ng` writes most languages in IPA; Mandarin goes through pinyin, for which the package `pypinyin`
reads the characters. What neither Kokoro nor IPA tells apart is written as the nearest sound that Kokoro knows.
"""

import re
import subprocess
import unicodedata

from .kokoro import PAUSES, VOCABULARY

PUNCTUATION = str.maketrans("，、。！？；：’", ",,.!?;:'", "¡¿")
# espeak-ng's IPA, affricates and diphthongs tied with "^", -> Kokoro's letters
LETTERS = {
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
# and what it writes oddly in one language
SPELLINGS = {"de": {"ɜ": "ɐ"}, "fr": {"yˈi": "ˈɥi"}, "ja": {"u\u0303": "ɴ", "oɯ": "oː"}, "pt-br": {"y": "i", "æ": "ɐ"}}
MARKS = {"\u0303", "\u0327"}  # of all combining marks only those of nasal vowels and of ç mean something to Kokoro

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


def pronounce(text: str, language: str) -> str:
    """A text, `language` as espeak-ng names it -> phones and punctuation in Kokoro's alphabet."""
    clauses = re.split(rf"\s*([{re.escape(PAUSES)}])\s*", text.translate(PUNCTUATION))
    say = mandarin if language == "cmn" else espeak
    written = "".join((say(part, language) if i % 2 == 0 else part + " ") for i, part in enumerate(clauses) if part)
    return "".join(symbol for symbol in written if symbol in VOCABULARY).strip()


def espeak(clause: str, language: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", language, clause]
    ipa = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return letters(" ".join(ipa.split()), SPELLINGS.get(language, {}))


def letters(ipa: str, spellings: dict[str, str]) -> str:
    """IPA as espeak-ng writes it -> Kokoro's alphabet."""
    ipa = re.sub(r"\([\^\u200da-z-]+\)", "", ipa)  # espeak-ng's notes that it changed the language
    kept = "".join(c for c in unicodedata.normalize("NFD", ipa) if not unicodedata.combining(c) or c in MARKS)
    kept = kept.replace("c\u0327", "ç")
    for tied, letter in LETTERS.items():
        kept = kept.replace(tied, letter)
    kept = kept.replace("ᵝ", "").replace("^", "")
    for spelling, letter in spellings.items():
        kept = kept.replace(spelling, letter)
    return kept


def mandarin(clause: str, _language: str = "cmn") -> str:
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(clause, Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True)
    return "".join(syllable(s) for s in syllables if re.fullmatch("[a-zü]+[1-5]", s))


def syllable(pinyin: str) -> str:
    """One syllable with the number of its tone, `ü` or `v` for the rounded vowel -> Kokoro's alphabet."""
    sounds, tone = pinyin[:-1].replace("ü", "v"), pinyin[-1]
    for spelling, final in (("yu", "v"), ("yi", "i"), ("y", "i"), ("wu", "u"), ("w", "u")):
        if sounds.startswith(spelling):
            return FINALS[final + sounds[len(spelling) :]] + TONES[tone]
    initial = next(i for i in (sounds[:2], sounds[:1], "") if i in INITIALS)
    final = sounds[len(initial) :]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "v" + final[1:]
    buzzing = final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s")
    return INITIALS[initial] + ("ɨ" if buzzing else FINALS[final]) + TONES[tone]
