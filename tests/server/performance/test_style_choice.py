"""Styles as manifests, options and requests name them."""

from pathlib import Path

import pytest

from server.errors import LSFError
from server.performance import style_choice
from server.protocol.style_cards import NUMBERS, StyleCard


def card(smile: float = 0.0) -> StyleCard:
    """A card that smiles so much at rest."""
    return StyleCard("actor", tuple(smile if number == ("rest", "smile") else 0.0 for number in NUMBERS))


def test_cards_in_a_cell_of_a_manifest(tmp_path):
    card(0.1).save(tmp_path / "a.json")
    card(0.2).save(tmp_path / "b c.json")
    assert style_choice.parse("", tmp_path) == ()
    assert style_choice.parse("a.json", tmp_path) == ((card(0.1), 0.5),)
    assert style_choice.parse("b c.json", tmp_path) == ((card(0.2), 0.5),)
    found = style_choice.parse("a.json 0,7 + b c.json 1.2", tmp_path)
    assert [(c.numbers[0], amount) for c, amount in found] == [(0.1, 0.7), (0.2, 1.2)]
    for text in ("none.json", "a.json 2", "a.json + "):
        with pytest.raises(LSFError):
            style_choice.parse(text, tmp_path)


def test_options_pair_cards_with_amounts(tmp_path):
    path = Path(tmp_path / "a.json")
    card().save(path)
    assert style_choice.from_options([path, path], [0.3]) == ((card(), 0.3), (card(), 0.5))
    with pytest.raises(LSFError):
        style_choice.from_options([path], [0.3, 0.4])


def test_fields_of_a_request():
    assert style_choice.read_fields(None) == ()
    fields = card(0.1).to_fields()
    assert style_choice.read_fields([{"card": fields, "amount": 0.5}]) == ((card(0.1), 0.5),)
    for wrong in (
        "x",
        [1],
        [{}],
        [{"card": fields, "amount": "1"}],
        [{"card": fields, "more": 1}],
        [{"card": fields}] * 9,
    ):
        with pytest.raises(LSFError):
            style_choice.read_fields(wrong)
