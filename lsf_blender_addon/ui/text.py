"""Text that wraps at the width of its region."""

import re
import textwrap
import unicodedata

import bpy

from .blender_types import IconItems
from .translations import translated

LETTER_WIDTH = 7  # pixels, about, of the interface's font at a scale of 1
MARGIN = 60  # pixels of a sidebar beside the text: borders, indentation and icon
LINE_HEIGHT = 0.8  # of a line of text, as a part of the height of a row
MIN_LETTERS = 16  # per line, however narrow the region is
# What stays on one line in a text with East Asian letters: a word of ASCII letters, or one other letter. Punctuation
# that follows may not begin a line, and an opening bracket may not end one.
PARTS = re.compile(r"[「（]*(?:[!-~]+|[^!-~「（])[、。，．：」）？！～ ]*|[「（]+")


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: IconItems) -> int:
    """Draw a sentence in the user's language on as many lines as the region's width needs; returns their number.

    Args:
        layout: Where the lines are added.
        context: Tells the width of the region and the scale of the interface.
        text: English text; it is translated if a translation exists.
        icon: Blender's name of the icon in front of the first line.
    """
    scale = context.preferences.system.ui_scale
    letters = max(MIN_LETTERS, int((context.region.width / scale - MARGIN) / LETTER_WIDTH))
    column = layout.column(align=True)
    column.scale_y = LINE_HEIGHT
    lines = wrap(translated(text), letters)
    for i, line in enumerate(lines):
        column.label(text=line, icon=icon if i == 0 else "BLANK1", translate=False)
    return len(lines)


def wrap(text: str, letters: int) -> list[str]:
    """Return the text in lines.

    Args:
        text: May be in a script that is written without spaces.
        letters: Width of a line in Latin letters; an East Asian letter is twice as wide.
    """
    if not any(map(_is_wide, text)):
        return textwrap.wrap(text, letters)
    lines = [""]
    for part in (piece for word in PARTS.findall(text) for piece in _pieces(word, letters)):
        if lines[-1] and _width(lines[-1] + part.rstrip()) > letters:
            lines.append(part.lstrip())
        else:
            lines[-1] += part
    return [line.rstrip() for line in lines]


def _pieces(part: str, letters: int) -> list[str]:
    """Return a part, in pieces if it is a word that is too long for a line, such as a path."""
    return [part] if len(part) <= letters else [part[i : i + letters] for i in range(0, len(part), letters)]


def _width(text: str) -> int:
    """Return the width in Latin letters."""
    return sum(2 if _is_wide(letter) else 1 for letter in text)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
