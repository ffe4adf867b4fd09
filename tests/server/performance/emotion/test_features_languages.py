"""Directions in other languages, word by word in English."""

import pytest

from server.performance.emotion import features_languages, text
from server.performance.emotion.bank import Bank


@pytest.mark.parametrize(
    ("direction", "shown"),
    [
        ("linke Augenbraue hoch, rechte runter", {"browOuterUpLeft": 0.8, "browDownRight": 0.7}),
        ("ein bisschen ängstlich", {"fearful": 0.4}),
        ("die Lippen gespitzt", {"mouthPucker": 0.3}),
        ("yeux fermés, pas content", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
        ("très en colère", {"angry": 1.0}),
        ("guiña el ojo derecho", {"eyeBlinkRight": 1.0, "cheekSquintRight": 0.2}),
        ("口を開けて驚く", {"surprised": 1.0, "jawOpen": 0.3}),
        ("怒っていない", {}),
    ],
)
def test_what_is_shown(direction, shown, monkeypatch):
    monkeypatch.setattr(text, "is_installed", lambda: False)
    reading = text.read(direction)
    assert {**reading.emotions, **reading.channels} == pytest.approx(shown)


def test_spans_are_those_of_the_original(monkeypatch):
    monkeypatch.setattr(text, "is_installed", lambda: False)
    reading = text.read("der Mund steht offen, Lippen zitternd")
    assert [part.span for part in reading.understood] == ["Mund steht offen", "Lippen zitternd"]
    assert reading.missed == ("steht",)
    assert [part.span for part in text.read("目を閉じて微笑む").understood] == ["目を閉じて", "微笑む"]


def test_names_of_the_bank_stay_as_they_are():
    bank = Bank.from_fields([{"name": "Oma Rosa", "weights": {}}])
    reading = text.read("halb Oma Rosa, Augenbrauen hoch", bank)
    assert reading.entries == {"Oma Rosa": 0.5} and reading.channels["browOuterUpLeft"] == 0.8


@pytest.mark.parametrize("direction", ["one eyebrow up", "not sad at all", "", "!?", "walks to the door"])
def test_english_is_not_taken_for_another_language(direction):
    assert features_languages.translate(direction) is None


def test_a_text_that_may_be_either_language_keeps_its_meaning():
    assert text.read("no surprise").emotions == {}


def test_every_letter_knows_where_it_comes_from():
    for direction in ("eine Augenbraue hochgezogen", "un peu surpris, mais calme", "少し悲しそうに微笑む", "目"):
        other = features_languages.translate(direction)
        assert len(other.text) == len(other.starts) == len(other.ends)
        assert other.span(0, len(other.text)) == (0, len(direction))
