"""Why the buttons below the list of lines are disabled."""

import bpy

from ...errors import UserError
from ...jobs import line_list
from .poll import disabled_reason_busy


def disabled_reason(context: bpy.types.Context, change: bool = True) -> str:
    """Return why nothing can be done with the line that is marked in the list, as a sentence; empty if it can.

    Args:
        context: Tells the head and the line.
        change: Whether the line is to be changed, and not only shown.
    """
    if reason := disabled_reason_busy():
        return reason
    try:
        head, _line = line_list.require_line(context)
        if change:
            line_list.check_changeable(head)
    except UserError as error:
        return f"{error}."
    return ""
