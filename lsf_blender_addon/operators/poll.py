"""A disabled button says why."""

import bpy

from ..translations import translated


def enabled_unless(operator: type[bpy.types.Operator], reason: str) -> bool:
    """For `poll`: whether there is no reason, a sentence, why the operator cannot run. Its tooltip tells the reason."""
    if reason:
        operator.poll_message_set(translated(reason))
    return not reason
