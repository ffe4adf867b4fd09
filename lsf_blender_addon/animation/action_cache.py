"""Remembers what was found out about an Action until the Action changes. For panels, which ask at every redraw.

Blender reports every change of an Action through its dependency graph, even if no scene uses the Action. Undo and the
loading of a file replace Actions without such a report. In 4.2, a script that sets keys in bulk must tag the Action.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import bpy

from .. import compat

Result = TypeVar("Result")

_results: dict[int, tuple[object, Any]] = {}  # by the Action's session_uid: its fingerprint then, and the result


def remembered(action: bpy.types.Action, compute: Callable[[bpy.types.Action], Result]) -> Result:
    """Return compute(action), which is not called again before the Action changes.

    Args:
        action: The Action that the result depends on, and on nothing else.
        compute: Always the same function.
    """
    fingerprint = _fingerprint(action)
    known = _results.get(action.session_uid)
    if known is not None and known[0] == fingerprint:
        result: Result = known[1]
        return result
    result = compute(action)
    if _on_update in bpy.app.handlers.depsgraph_update_post:  # without it nobody would tell of changes
        _results[action.session_uid] = fingerprint, result
    return result


def forget(action: bpy.types.Action) -> None:
    """Drop what is known of the Action, for code that changes it and goes on before Blender reports that."""
    _results.pop(action.session_uid, None)


def register() -> None:
    """Add the handlers; before that nothing is remembered."""
    bpy.app.handlers.depsgraph_update_post.append(_on_update)
    for handlers in _replacements():
        handlers.append(_on_replaced)


def unregister() -> None:
    """Remove the handlers and forget everything."""
    bpy.app.handlers.depsgraph_update_post.remove(_on_update)
    for handlers in _replacements():
        handlers.remove(_on_replaced)
    _results.clear()


def _replacements() -> tuple[list[Any], ...]:
    """Return Blender's lists of handlers for the events after which all data is new."""
    handlers = bpy.app.handlers
    return handlers.undo_post, handlers.redo_post, handlers.load_post


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_update(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Forget everything if an Action has changed: the graph does not always say which."""
    if depsgraph.id_type_updated("ACTION"):
        _results.clear()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_replaced(*_arguments: object) -> None:
    """Forget everything."""
    _results.clear()


def _fingerprint(action: bpy.types.Action) -> object:
    """Return the curves and their numbers of keys: quick to read, and seen by scripts before Blender reports."""
    return [(fcurve.data_path, len(fcurve.keyframe_points)) for fcurve in compat.fcurves_of(action)]
