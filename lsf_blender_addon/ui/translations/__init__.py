"""The interface in other languages: one file each, {English: translation}. A message without one stays English."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from . import german, japanese

LANGUAGES = {"de_DE": german.MESSAGES, "ja_JP": japanese.MESSAGES}
OWN_CONTEXT = "LSF"  # for words that Blender itself translates in another sense
CONTEXTS = ("*", "Operator", OWN_CONTEXT)  # Blender translates the labels of operators in "Operator"


def register() -> None:
    """Give Blender the translations."""
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
    """Take the translations from Blender again."""
    bpy.app.translations.unregister(__name__)


def translated(sentence: str) -> str:
    """Return a sentence in the user's language.

    The text of a UserError has no full stop, and is translated as such: a full stop that was added to it is ignored in the
    search.
    """
    if (found := iface(sentence)) != sentence or not sentence.endswith("."):
        return found
    return f"{iface(sentence[:-1])}."
