"""Finds the chosen head, for operators and panels."""

import bpy

from ..scene import meshes
from ..scene.selection import head_of


def find_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the chosen head, else the active object; None if that is no mesh object."""
    head = head_of(context)
    return head if head is not None and head.type == "MESH" else None


def require_head(context: bpy.types.Context) -> bpy.types.Object:
    """Return the chosen head in an operator whose `poll` has checked that there is one.

    Raises:
        RuntimeError: No mesh object is chosen.
    """
    head = find_head(context)
    if head is None:
        raise RuntimeError("No head is chosen")
    return head


def usable_head(context: bpy.types.Context) -> bpy.types.Object:
    """Return the chosen head if shape keys can be added to it.

    Raises:
        UserError: No head is chosen, or shape keys cannot be added to it.
    """
    head = head_of(context)
    meshes.check(head)
    assert head is not None  # `check` raises for None
    return head
