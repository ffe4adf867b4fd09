"""The inventory of sounds, and how other symbols are written with it."""

import pytest

from server.sounds.inventory import ARPABET, INDEX, SAME, SYMBOLS, VISEME, VISEMES, VOWELS, spelled


def test_every_sound_has_one_viseme_and_an_arpabet():
    assert sorted(symbol for symbols in VISEMES.values() for symbol in symbols) == sorted(SYMBOLS)
    assert set(ARPABET) == set(SYMBOLS) - {""} and set(VISEME) == set(SYMBOLS) and INDEX[""] == 0
    assert {"i", "ɝ", "aʊ"} < VOWELS and not VOWELS & {"p", "w", ""}


def test_what_is_the_same_face_is_in_the_inventory():
    assert all(part in INDEX for parts in SAME.values() for part in parts) and not set(SAME) & set(INDEX)


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("ç", ("ç",)),
        ("c\u0327", ("ç",)),  # the same letter in two code points
        ("ɔ\u0303", ("ɔ",)),  # nasal
        ("ã", ("a",)),
        ("ˈɑː", ("ɑ",)),  # stress, length
        ("tʰ", ("t",)),
        ("t͡ʃ", ("tʃ",)),
        ("ts", ("t", "s")),
        ("iɐ", ("i", "ɐ")),
        ("ɑu2", ("ɑ", "u")),  # a tone
        ("ʔ", ()),
        ("", ()),
        ("→", ()),
        ("ʘ", ()),  # a click: no face is known for it
    ],
)
def test_symbols_are_written_with_the_inventory(symbol, parts):
    assert spelled(symbol) == parts
