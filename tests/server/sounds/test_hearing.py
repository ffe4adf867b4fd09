"""What is heard in a line: joined windows, times, transcripts that fit and that do not, cancelling."""

import numpy as np
import pytest

from server.errors import Cancelled, LSFError
from server.model.inference import Window
from server.sounds import transcript
from server.sounds.hearing import check_speech, clock, distance, hear, posteriors

MAP = [("", 10), ("m", 8), ("æ", 12), ("p", 8), ("", 10)]
SHOE = [("ʃ", 9), ("u", 13), ("", 10)]


def heard(network, features, text="", language="", **kinds):
    return hear(network, [Window(0, features)], 25, len(features) / 25, text, language, **kinds)


def test_sounds_are_heard_with_their_times(network, say):
    sounds = heard(network, say(*MAP))
    assert sounds.symbols == ("m", "æ", "p") and sounds.words == () and sounds.word_times.shape == (0, 2)
    np.testing.assert_allclose(sounds.times, [[0.095, 0.175], [0.175, 0.295], [0.295, 0.375]], atol=1e-6)
    assert sounds.confidence.min() > 0.8 and sounds.confidence.dtype == sounds.times.dtype == np.float32


def test_windows_that_overlap_are_heard_once(network, say):
    features = say(*MAP, *SHOE, *MAP, *SHOE)
    whole = heard(network, features)
    windows = [Window(first, features[first : first + 12]) for first in range(0, len(features), 8)]
    parts = list(posteriors(network, windows, 25))
    assert sum(map(len, parts)) == 4 * len(features)
    joined = hear(network, windows, 25, len(features) / 25)
    assert joined.symbols == whole.symbols and np.array_equal(joined.times, whole.times)


def test_silence_and_nothing_have_no_sounds(network, say):
    for features in (say(("", 80)), np.zeros((0, 4 * 53), np.float16), say(("", 1))):
        sounds = heard(network, features)
        assert sounds.symbols == () and sounds.times.shape == (0, 2) and sounds.confidence.shape == (0,)


def test_a_transcript_pins_the_sounds_and_gives_words(network, say, dictionary):
    sounds = heard(network, say(*MAP, *SHOE), "Map, shoe!", "en")
    assert (sounds.words, sounds.symbols, sounds.note) == (("Map", "shoe"), ("m", "æ", "p", "ʃ", "u"), "")
    np.testing.assert_allclose(sounds.word_times, [[0.095, 0.375], [0.475, 0.695]], atol=1e-6)


def test_the_language_of_a_transcript_is_found(network, say, dictionary):
    assert heard(network, say(*MAP, *SHOE), "map shoe").symbols == ("m", "æ", "p", "ʃ", "u")


def test_another_text_is_not_used(network, say, dictionary):
    sounds = heard(network, say(*MAP, *SHOE), "x y z a b c d", "en")
    assert sounds.words == () and sounds.symbols == ("m", "æ", "p", "ʃ", "u")
    assert sounds.note == "The transcript is not what is said here, so it was not used: check its text."


def test_words_that_are_not_said_are_named_with_their_place(network, say, dictionary):
    lines = [*MAP, *SHOE] * 6
    sounds = heard(network, say(*lines), "map shoe " * 3 + "x y x y x y " + "map shoe " * 3, "en")
    assert sounds.note.startswith("The transcript does not match the sound at 0:0") and '"x y x y' in sounds.note


def test_speech_that_the_transcript_lacks_is_told_with_its_place(network, say, dictionary):
    sounds = heard(network, say(*MAP, *SHOE, *MAP, *SHOE, *MAP), "map map", "en")
    assert sounds.note.startswith("There is speech at 0:0") and sounds.words == ("map", "map")


def test_why_a_transcript_is_not_used_is_told(network, say, monkeypatch, dictionary):
    assert "no word" in heard(network, say(*MAP), "…", "en").note or heard(network, say(*MAP), "…", "en").note == ""

    def missing():
        raise LSFError("missing_espeak", transcript.MISSING)

    monkeypatch.setattr(transcript, "pronouncer", missing)
    sounds = heard(network, say(*MAP), "map", "en")
    assert sounds.symbols == ("m", "æ", "p") and "espeak-ng" in sounds.note and sounds.words == ()


def test_it_can_be_cancelled(network, say, dictionary):
    calls = iter([False, True])
    with pytest.raises(Cancelled):
        heard(network, say(*MAP), "map", "en", cancelled=lambda: next(calls))
    with pytest.raises(Cancelled):
        heard(network, say(*MAP), cancelled=lambda: True)


@pytest.mark.parametrize(
    ("left", "right", "count"), [([], [1, 2], 2), ([1, 2, 3], [1, 3], 1), ([1, 2, 3], [4, 5, 6, 7], 4), ([3], [3], 0)]
)
def test_distance(left, right, count):
    assert distance(left, right) == count == distance(right, left)


def test_what_cannot_be_a_transcript_or_a_language_is_refused():
    check_speech("Grüß Gott", "pt-br")
    for text, language in (("a" * 200_001, ""), ("", "../de"), ("", "x" * 21), ("", "de\n")):
        with pytest.raises(LSFError, match=r"transcript|language"):
            check_speech(text, language)


def test_clock():
    assert (clock(3.24), clock(65.0), clock(3600.04)) == ("0:03.2", "1:05.0", "60:00.0")
