"""Mixins and functions that several panels share."""

from typing import Any

import bpy

from ...animation.chosen_line import ChosenLine
from ...animation.chosen_line import chosen_line as find_chosen_line
from ...errors import UserError
from ...jobs import line_list
from ..blender_types import IconItems, PanelMixin, UIListMixin
from ..head import find_head
from ..text import wrapped

NEEDS_GENERATE = "These fields need Generate"  # their values change nothing that is in the file


class Tab(PanelMixin):
    """Mixin that puts a panel into the LSF tab of a sidebar.

    Subpanels that appear in the 3D viewport and in the sequencer have one class for each, with the same `draw`.
    """

    bl_region_type = "UI"
    bl_category = "LSF"


class RowList(UIListMixin):
    """Mixin for a list whose rows need only the layout and the item. The list defines `draw_row`."""

    def draw_item(
        self,
        context: bpy.types.Context | None,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        self.draw_row(layout, item)

    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: Any) -> None:
        """Draw the row of an item.

        Args:
            layout: Layout of the row.
            item: The property group that the row shows.
        """
        raise NotImplementedError


def chosen_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the head that the panel shows; if there is none, draw a label that asks for it and return None."""
    head = find_head(context)
    if head is None:
        wrapped(layout, context, "Select a head first", "INFO")
    return head


def draw_line_name(layout: bpy.types.UILayout, context: bpy.types.Context, line: ChosenLine) -> None:
    """Draw which line the fields below are for."""
    icon: IconItems = "REC" if line.record.kind == "RECORDING" else "SOUND"
    layout.label(text=line_list.present_name(find_head(context), line), icon=icon, translate=False)


def frames_text(first: int, count: int) -> str:
    """Return a text for so many frames from the first one on."""
    return f"{first}–{first + max(count, 1) - 1}"


def chosen_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> ChosenLine | None:
    """Return the line that the panel shows; if there is none, draw what to do and return None."""
    try:
        return find_chosen_line(context)
    except UserError as error:
        wrapped(layout, context, f"{error}.", "INFO")
        return None
