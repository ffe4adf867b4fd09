"""The interface in other languages: one file each, {English: translation}. What is missing there stays English."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from . import german, japanese

LANGUAGES = {"de_DE": german.MESSAGES, "ja_JP": japanese.MESSAGES}
OURS = "LSF"  # context of words that Blender itself has translated in another sense
CONTEXTS = ("*", "Operator", OURS)  # Blender looks up an operator's label in a context of its own


def register() -> None:
    bpy.app.translations.register(
        __name__,
        {
            language: {
                (context, english): translation for english, translation in messages.items() for context in CONTEXTS
            }
            for language, messages in LANGUAGES.items()
        },
    )


def unregister() -> None:
    bpy.app.translations.unregister(__name__)


def translated(sentence: str) -> str:
    """A sentence in the artist's language; a UserError is known there without its full stop."""
    if (found := iface(sentence)) != sentence or not sentence.endswith("."):
        return found
    return f"{iface(sentence[:-1])}."
