"""Text that wraps at the width of its region."""

import textwrap
import unicodedata

import bpy

from .blender_types import IconItems
from .translations import translated

LETTER_WIDTH = 7  # pixels, about, of the interface's font at a scale of 1
MARGIN = 60  # pixels of a sidebar beside the text: borders, indentation and icon
MIN_LETTERS = 16  # per line, however narrow the region is


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: IconItems) -> None:
    """Draw a sentence in the user's language on as many lines as the region's width needs.

    Args:
        layout: Where the lines are added.
        context: Tells the width of the region and the scale of the interface.
        text: English text; it is translated if a translation exists.
        icon: Blender's name of the icon in front of the first line.
    """
    text = translated(text)
    is_wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    scale = context.preferences.system.ui_scale
    letters = max(MIN_LETTERS, int((context.region.width / scale - MARGIN) / LETTER_WIDTH)) // (2 if is_wide else 1)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, part in enumerate(textwrap.wrap(text, letters)):
        column.label(text=part, icon=icon if i == 0 else "BLANK1", translate=False)
