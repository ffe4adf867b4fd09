"""Functions for `poll` that show in the tooltip why a button is disabled."""

import bpy

from ...errors import UserError
from ...jobs import environment, face_cache, self_test, session
from ...scene import meshes, rig
from ...scene.access import mesh_of
from ..head import find_head
from ..translations import translated


def enabled_unless(operator: type[bpy.types.Operator], reason: str) -> bool:
    """Return for `poll` whether the operator can run, and show the reason in its tooltip if it cannot.

    Args:
        operator: The class that is polled.
        reason: A sentence that says why the operator cannot run; empty if it can.
    """
    if reason:
        operator.poll_message_set(translated(reason))
    return not reason


def enabled_with_head(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Return for `poll` whether a head is chosen or a mesh object is active, and can be changed."""
    head = find_head(context)
    return enabled_unless(operator, linked_reason(head) if head else "Select the head: a mesh object.")


def enabled_with_own_keys(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Return for `poll` whether the chosen head has shape keys that the artist made, and can be changed."""
    head = find_head(context)
    if head is None or not rig.own_keys(mesh_of(head)):
        return enabled_unless(operator, "The head has no shape keys of its own.")
    return enabled_unless(operator, linked_reason(head))


def disabled_reason_busy() -> str:
    """Return a sentence if the speech engine works for another operator; else ""."""
    if session.batch is not None:
        return "A generation is running: wait for it or cancel it."
    return ""


def disabled_reason_engine() -> str:
    """Return a sentence if the speech engine is missing or in use; else ""."""
    if environment.server_python() is None:
        return "Install the speech engine first."
    if environment.installing():
        return "An installation is running."
    if reason := disabled_reason_busy():
        return reason
    if self_test.running():
        return "The self-test is running."
    if face_cache.running():
        return "The cache is being cleared."
    return ""


def linked_reason(head: bpy.types.Object) -> str:
    """Return a sentence if changes of the head would be lost, because it is linked from another file; else ""."""
    try:
        meshes.check_local(head)
    except UserError as error:
        return f"{error}."
    return ""


def disabled_reason_override(head: bpy.types.Object) -> str:
    """Return a sentence if Blender would not save a new shape key of the head, or a changed slider range; else ""."""
    if meshes.keeps_new_keys(mesh_of(head)):
        return ""
    return "Blender does not keep this on a library override: change it in the library's own file."
