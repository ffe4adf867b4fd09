"""Translations: complete, of strings that exist, and with the same placeholders."""

import re

import bpy
import pytest

from lsf_blender_addon.ui import translations
from tests.lsf_blender_addon import messages


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_every_string_of_the_interface_is_translated(addon, language):
    missing = (messages.of_classes() | messages.of_code()) - translations.LANGUAGES[language].keys()
    assert not missing, sorted(missing)


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_no_translation_is_left_over(addon, language):
    unused = translations.LANGUAGES[language].keys() - (messages.of_classes() | messages.of_code())
    assert not unused, sorted(unused)


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_placeholders_and_closing_stops_are_kept(language):
    for english, translation in translations.LANGUAGES[language].items():
        assert sorted(re.findall(r"{.*?}", english)) == sorted(re.findall(r"{.*?}", translation)), english
        assert translation.strip() == translation and translation
        assert english.endswith(".") == translation.endswith((".", "。")), english


def test_shown_messages_are_found(addon):
    found = messages.of_classes()
    assert {"Generate", "Take", "From Audio", "Emotion"} <= found, "labels of operators, properties, items, panels"
    assert any(message.startswith("Animate the head to the speech") for message in found), "tooltips of operators"
    assert "Only the emotion" not in found and "layers" not in found
    assert {"Detected Emotion", "Select a head first"} <= messages.of_code()


def test_tooltips_are_one_line(addon):
    assert not [message for message in messages.of_classes() if "\n" in message or "  " in message]


def test_the_translations_are_registered(addon):
    if not bpy.app.translations.locales:
        pytest.skip("this Blender is built without translations")
    bpy.context.preferences.view.language = "de_DE"
    assert bpy.app.translations.pgettext("Generate", "Operator") == "Generieren"
