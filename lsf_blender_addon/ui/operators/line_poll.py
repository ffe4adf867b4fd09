"""Why the buttons below the list of lines are disabled."""

import bpy

from ...errors import UserError
from ...jobs import line_list, session


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why nothing can be done with the line that is marked in the list, as a sentence; empty if it can."""
    if session.batch is not None:
        return "A generation is running: wait for it or cancel it."
    try:
        line_list.require_line(context)
    except UserError as error:
        return f"{error}."
    return ""
