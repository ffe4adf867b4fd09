"""What all panels share."""

import bpy

from ...animation import refresh
from ...errors import UserError
from ..blender_types import PanelMixin
from ..head import find_head
from ..text import wrapped


class Tab(PanelMixin):
    """Mixin that puts a panel into the LSF tab of a sidebar.

    Subpanels that appear in the 3D viewport and in the sequencer have one class for each, with the same `draw`.
    """

    bl_region_type = "UI"
    bl_category = "LSF"


def chosen_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the head that the panel is about; without one, draw a label that asks for it and return None."""
    head = find_head(context)
    if head is None:
        wrapped(layout, context, "Select a head first", "INFO")
    return head


def chosen_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Action | None:
    """Return the generated Action that the panel is about; without one, draw what to do and return None."""
    try:
        return refresh.current(context)
    except UserError as error:
        wrapped(layout, context, f"{error}.", "INFO")
        return None
