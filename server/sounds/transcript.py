"""From a transcript to the sounds of its words.

The library espeak-ng says how words are spoken, in a hundred languages. It comes with the optional package
`espeakng-loader` (GPL-3.0-or-later, as this server), which has the library and its data; nothing else of it is used.
"""

import ctypes
import re
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import LSFError
from .decoding import Spoken
from .inventory import INDEX, VOWELS, spelled

# Names of languages -> espeak-ng's voice, where they differ.
VOICES = {"en": "en-us", "zh": "cmn", "pt": "pt-br", "no": "nb", "en-uk": "en-gb"}
WORD = re.compile(r"[\w]+(?:['’\-.:][\w]+)*", re.UNICODE)  # it's, co-operate, 3.5, 12:30
REDUCED_LETTERS = 4  # a word of so many letters at most may have a weak vowel: "of", "from"
RETRIEVAL, DONT_EXIT = 1, 0x8000  # of espeak_Initialize: no sound device; errors are returned
UTF8, IPA, SEPARATOR = 1, 0x02, ord("_")  # of espeak_TextToPhonemes
STRESS = "ˈˌ"
CLOSING = {"[": "]", "(": ")", "<": ">", "*": "*"}  # of what is not spoken: [laughs], (sighs), *coughs*
OPENING = re.compile(r"[\[(<*]")


def words_of(transcript: str) -> list[str]:
    """Return the words of a transcript, without punctuation and what is in brackets: [laughs], (sighs)."""
    return WORD.findall(" ".join(_outside_brackets(transcript)))


def _outside_brackets(transcript: str) -> Iterator[str]:
    """Yield the parts of a transcript that are not in brackets; a bracket that nothing closes is none.

    It looks at each letter at most once for each kind of bracket.
    """
    at, unclosed = 0, set()
    for opening in OPENING.finditer(transcript):
        bracket, start = opening.group(), opening.start()
        if start < at or bracket in unclosed:
            continue
        end = transcript.find(CLOSING[bracket], start + 1)
        if end < 0:
            unclosed.add(bracket)
        else:
            yield transcript[at:start]
            at = end + 1
    yield transcript[at:]


class Pronouncer:
    """Says how words are spoken. espeak-ng has one state for the whole process, so there is one of these."""

    def __init__(self) -> None:
        """Load espeak-ng.

        Raises:
            LSFError: "missing_espeak" if the package is not installed or cannot be loaded.
        """
        try:
            import espeakng_loader

            # The data are beside the package. Its path is given in the encoding of the system.
            data = Path(espeakng_loader.get_data_path())
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            rate = self._library.espeak_Initialize(RETRIEVAL, 0, str(data.parent).encode(), DONT_EXIT)
        except (ImportError, OSError, RuntimeError) as error:
            raise LSFError("missing_espeak", MISSING) from error
        if rate <= 0:
            raise LSFError("missing_espeak", MISSING)
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        self._lock = threading.Lock()

    def pronounce(self, words: list[str], language: str) -> list[tuple[str, ...]]:
        """Return the IPA phones of each word, with stress marks; none where a word is not spoken.

        Raises:
            LSFError: "bad_settings" if espeak-ng does not know the language.
        """
        name = language.lower().replace("_", "-")
        main = name.split("-")[0]
        voices = dict.fromkeys([VOICES.get(name, name), name, VOICES.get(main, main), main])
        with self._lock:
            if all(self._library.espeak_SetVoiceByName(voice.encode()) != 0 for voice in voices):
                raise LSFError(
                    "bad_settings", f'There is no language "{language}" in espeak-ng: give its code, as "de".'
                )
            known: dict[str, tuple[str, ...]] = {}
            for word in words:
                if word not in known:
                    known[word] = self._phones(word)
        return [known[word] for word in words]

    def _phones(self, word: str) -> tuple[str, ...]:
        """IPA phones of a word in the language that is set."""
        text = ctypes.c_char_p(word.encode())
        spoken = ""
        while text.value:  # a clause at a time
            spoken += " " + (self._library.espeak_TextToPhonemes(text, UTF8, IPA | SEPARATOR << 8) or b"").decode()
        spoken = re.sub(r"\([^)]*\)", "", spoken)  # marks of another language: (en)
        return tuple(phone for phone in re.split(r"[_\s]+", spoken) if phone)


MISSING = (
    "A transcript needs espeak-ng: press Install Transcripts in the preferences of the add-on, or run `pip install "
    "espeakng-loader`. The sounds were found without the transcript."
)


@cache
def pronouncer() -> Pronouncer:
    """Return the one of this process. Raises LSFError("missing_espeak")."""
    return Pronouncer()


def spoken_words(words: list[str], language: str) -> list[Spoken]:
    """Return the sounds of words.

    Args:
        words: Of `words_of`.
        language: Its code.

    Raises:
        LSFError: "missing_espeak" or "bad_settings".
    """
    sounds: list[Spoken] = []
    for number, (word, phones) in enumerate(zip(words, pronouncer().pronounce(words, language), strict=True)):
        for phone in phones:
            symbols = spelled(phone.strip(STRESS))
            sounds.extend(Spoken(_alternatives(symbol, word, language), number) for symbol in symbols)
    return sounds


def _alternatives(symbol: str, word: str, language: str) -> tuple[int, ...]:
    """Classes that a sound may be: a short word's vowel may be weak, and some sounds are spoken in several ways."""
    main = language.lower()[:2]
    also = ALSO.get(main, {}).get(symbol, ())
    if main == "en" and symbol in VOWELS and len(word) <= REDUCED_LETTERS and symbol != "ə":
        also = (*also, "ə")
    return tuple(INDEX[name] for name in dict.fromkeys((symbol, *also)))


# By language, what people also say for a sound of espeak-ng's dictionary, and the signs that the corpora have for it.
GERMAN = {
    "ɾ": ("ʁ", "ɐ", "ɹ"),
    "ʁ": ("ɐ", "ɾ"),
    "ɑ": ("a",),
    "ɝ": ("ɐ", "ə"),
    "ɐ": ("ə", "ʁ"),
    "ə": ("ɐ", "ɪ"),
    "ɛ": ("e", "ə", "æ"),
    "e": ("ɛ", "ɪ"),
    "z": ("s",),
    "ç": ("x", "ʃ", "ɪ"),
    "d": ("t",),
    "ɡ": ("k", "x"),
    "o": ("ɔ",),
    "ɔ": ("o",),
}
ENGLISH = {
    "ʌ": ("ə",),
    "ə": ("ʌ", "ɪ"),
    "ɐ": ("ə", "ʌ"),
    "ɪ": ("ə", "i"),
    "i": ("ɪ",),
    "ɾ": ("t", "d"),
    "t": ("ɾ",),
    "d": ("ɾ",),
    "ɑ": ("ɒ", "ɔ"),
    "ɔ": ("ɑ", "ɒ", "oʊ"),
    "o": ("oʊ", "ɔ"),
    "a": ("æ", "ɑ"),
    "æ": ("a",),
    "ɝ": ("ə",),
    "s": ("z",),
    "z": ("s",),
}
ALSO = {"en": ENGLISH, "de": GERMAN}
