"""The interface in other languages: one file each, {English: translation}. What is missing there stays English."""

import bpy

from . import german, japanese

LANGUAGES = {"de_DE": german.MESSAGES, "ja_JP": japanese.MESSAGES}
OURS = "LSF"  # context of words that Blender itself has translated in another sense
CONTEXTS = ("*", "Operator", OURS)  # Blender looks up an operator's label in a context of its own


def register() -> None:
    bpy.app.translations.register(__name__, {
        language: {(context, english): translation for english, translation in messages.items() for context in CONTEXTS}
        for language, messages in LANGUAGES.items()})


def unregister() -> None:
    bpy.app.translations.unregister(__name__)
