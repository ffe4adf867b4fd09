"""What all panels share."""

import textwrap
import unicodedata

import bpy

from ...animation import refresh
from ...errors import UserError
from ...scene.selection import head_of
from ..translations import translated

PIXELS_PER_LETTER = 7  # of the interface's font, about


class Tab:
    """Where every panel of ours is. A subpanel is drawn in both editors: one class each, with the same `draw`."""

    bl_region_type = "UI"
    bl_category = "LSF"


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence, in the artist's language if it is known there, on as many lines as the sidebar's width needs."""
    text = translated(text)
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    scale = context.preferences.system.ui_scale
    letters = max(16, int((context.region.width / scale - 60) / PIXELS_PER_LETTER)) // (2 if wide else 1)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, part in enumerate(textwrap.wrap(text, letters)):
        column.label(text=part, icon=icon if i == 0 else "BLANK1", translate=False)


def chosen_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that the panel is about; without one a label asks for it."""
    head = head_of(context)
    if head is not None and head.type == "MESH":
        return head
    layout.label(text="Choose the head first", icon="INFO")
    return None


def chosen_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Action | None:
    """The generated Action that the panel is about; without one a sentence says what to do."""
    try:
        return refresh.current(context)
    except UserError as error:
        wrapped(layout, context, f"{error}.", "INFO")
        return None
