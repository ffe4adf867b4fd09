"""Translations of the interface, one file for each language. A message without a translation stays English."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from . import german, japanese

LANGUAGES = {"de_DE": german.MESSAGES, "ja_JP": japanese.MESSAGES}
OWN_CONTEXT = "LSF"  # for words that Blender translates in another sense
CONTEXTS = ("*", "Operator", OWN_CONTEXT)  # Blender translates the labels of operators in "Operator"


def register() -> None:
    """Register the translations with Blender."""
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
    """Unregister the translations."""
    bpy.app.translations.unregister(__name__)


def translated(sentence: str) -> str:
    """Return a sentence in the user's language.

    The text of a UserError has no full stop, and is translated as such: a full stop that was added to it is ignored in the
    search.
    """
    if (found := iface(sentence)) != sentence or not sentence.endswith("."):
        return found
    return f"{iface(sentence[:-1])}."
