"""EmoDB's phone labels as phones."""

import pytest

from server.training.speech.emodb_phones import SYMBOLS, to_phones
from server.training.speech.phonetics import COLUMN, phone_features


def symbols(*labels):
    return [symbol for symbol, _, _ in to_phones([(0.1 * (i + 1), label) for i, label in enumerate(labels)], 9.0)]


def test_a_stop_is_its_closure_burst_and_aspiration():
    rows = [
        (0.05, "_t"),
        (0.1, "!t +asp"),
        (0.15, "tasp +hoe"),
        (0.2, "i"),
        (0.3, "p +sth"),
        (0.34, "-sth"),
        (0.4, "!p"),
    ]
    assert to_phones([*rows, (0.5, ".")], 0.6) == [
        ("", 0, 0.05),
        ("t", 0.05, 0.2),
        ("i", 0.2, 0.3),
        ("p", 0.3, 0.5),
        ("", 0.5, 0.6),
    ]


def test_a_release_without_a_closure_before_it_is_a_phone():
    assert symbols("N", "!k", "kasp", ".") == ["", "ŋ", "k", ""]
    assert symbols("t", "k", "!k", ".") == ["", "t", "k", ""], "a closure after a closure is a second stop"


def test_signs_within_a_phone_do_not_split_it():
    assert symbols("aI +lar 3", "-lar", "+hoe", "hoe", "s +sth", "-sth,+tie", "[+eng", ".") == ["", "aɪ", "s", ""]


def test_marks_without_a_blank_and_long_sounds_are_read():
    assert symbols("d+nas", "!d", "I+:", "nn", "gas+sth", "i6 2", "!b+na", ".") == [
        "",
        "d",
        "ɪ",
        "n",
        "ɡ",
        "iɐ",
        "b",
        "",
    ]


def test_pauses_are_one_silence_and_labels_that_begin_at_zero_have_none_before():
    assert to_phones([(0.0, "m"), (0.3, "("), (0.4, "(gef +har"), (0.6, "f"), (0.8, ".")], 1.0) == [
        ("m", 0, 0.3),
        ("", 0.3, 0.6),
        ("f", 0.6, 0.8),
        ("", 0.8, 1.0),
    ]


def test_every_symbol_is_in_the_tables_of_articulation():
    assert not any(phone_features(symbol)[0, COLUMN["silence"]] for symbol in SYMBOLS.values())
    assert phone_features(SYMBOLS["B"])[0, COLUMN["bilabial"]] == phone_features(SYMBOLS["V"])[0, COLUMN["labiodental"]]


@pytest.mark.parametrize("label", ["Q", "!Q", "aQ", "Qasp"])
def test_an_unknown_label_is_an_error(label):
    with pytest.raises(ValueError, match="not known"):
        symbols(label)
