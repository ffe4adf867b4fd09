"""Words and their sounds. espeak-ng itself is asked only where it is installed."""

import sys

import pytest

from server.errors import LSFError
from server.sounds import transcript
from server.sounds.inventory import SYMBOLS
from server.sounds.transcript import Pronouncer, pronouncer, spoken_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 3.5 – no, 12:30!", ["It's", "3.5", "no", "12:30"]),
        ("[laughs] Well… (sighs) yes. *cough* <b>", ["Well", "yes"]),
        ("„Größe“ – Straße", ["Größe", "Straße"]),
        ("co-operate", ["co-operate"]),
        ("…?! -", []),
        ("a (b (c) d) e", ["a", "d", "e"]),
        ("a [b (c] d) e", ["a", "d", "e"]),
        ("a (b <c> d [e", ["a", "b", "d", "e"]),
        ("5 * 3 < 16", ["5", "3", "16"]),
        ("", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize("opening", ["(", "[", "<", "([<"])
def test_brackets_that_nothing_closes_take_no_time(opening):
    words = words_of(f"ha{opening}" * 60_000)  # minutes, if it were quadratic
    assert len(words) == 60_000


def test_a_word_may_be_said_in_several_ways(dictionary):
    said = spoken_words(["map", "shoe"], "en")
    assert [[SYMBOLS[c] for c in sound.symbols] for sound in said] == [["m"], ["æ", "a", "ə"], ["p"], ["ʃ"], ["u", "ə"]]
    assert [sound.word for sound in said] == [0, 0, 0, 1, 1]


def test_without_espeak_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(LSFError, match="Install Transcripts") as error:
        Pronouncer()
    assert error.value.code == "missing_espeak"


@pytest.mark.parametrize(
    ("words", "language", "sounds"),
    [
        (["printing"], "en", "p ɹ ɪ n t ɪ ŋ"),
        (["Eisschrank", "heute"], "de", "aɪ s ç ɾ a ŋ k h ɔɪ t ə"),
        (["niño"], "es", "n i n o"),
        (["25"], "en_US", "t w ɛ n t i f aɪ v"),
        (["une"], "fr", "y n"),
    ],
)
def test_espeak_knows_languages(words, language, sounds):
    assert [SYMBOLS[s.symbols[0]] for s in spoken_words(words, language)] == sounds.split()


def test_espeak_refuses_a_language_that_does_not_exist():
    with pytest.raises(LSFError, match='no language "xx"'):
        pronouncer().pronounce(["a"], "xx")
    assert transcript.pronouncer() is pronouncer()
