"""A disabled button says why."""

import bpy

from ...scene import rig
from ...scene.selection import head_of
from ..translations import translated


def enabled_unless(operator: type[bpy.types.Operator], reason: str) -> bool:
    """For `poll`: whether there is no reason, a sentence, why the operator cannot run. Its tooltip tells the reason."""
    if reason:
        operator.poll_message_set(translated(reason))
    return not reason


def enabled_with_head(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether a head is chosen, or a mesh active."""
    head = head_of(context)
    is_mesh = head is not None and head.type == "MESH"
    return enabled_unless(operator, "" if is_mesh else "Choose the head first: a mesh object.")


def enabled_with_own_keys(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether the chosen head has shape keys that the artist made."""
    head = head_of(context)
    has_keys = head is not None and head.type == "MESH" and bool(rig.own_keys(head.data))
    return enabled_unless(operator, "" if has_keys else "The head has no shape keys of its own.")
