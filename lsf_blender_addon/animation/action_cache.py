"""Remembers what was computed from an Action until the Action changes, for panels, which ask at every redraw.

Blender reports every change of an Action through its dependency graph, even if no scene uses the Action. Undo and the
loading of a file replace Actions without such a report. In 4.2, a script that sets keys in bulk must tag the Action.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import bpy

from .. import compat

Result = TypeVar("Result")

# By session_uid of the Action: for each function the Action's fingerprint then, and the function's result.
_results: dict[int, dict[Callable[[bpy.types.Action], Any], tuple[object, Any]]] = {}


def remembered(action: bpy.types.Action, compute: Callable[[bpy.types.Action], Result]) -> Result:
    """Return compute(action), which is called again only after the Action has changed.

    Args:
        action: The Action that the result depends on, and on nothing else.
        compute: A function of a module, not one that is made anew for each call.
    """
    fingerprint = _fingerprint(action)
    known = _results.get(action.session_uid, {}).get(compute)
    if known is not None and known[0] == fingerprint:
        result: Result = known[1]
        return result
    result = compute(action)
    if _on_update in bpy.app.handlers.depsgraph_update_post:  # without the handlers, no change would be noticed
        _results.setdefault(action.session_uid, {})[compute] = fingerprint, result
    return result


def forget(action: bpy.types.Action) -> None:
    """Drop the results for an Action, for code that changes it and goes on before Blender reports the change."""
    _results.pop(action.session_uid, None)


def register() -> None:
    """Add the handlers; before that, nothing is remembered."""
    bpy.app.handlers.depsgraph_update_post.append(_on_update)
    bpy.app.handlers.frame_change_pre.append(_before_frame_change)
    for handlers in _replacement_handlers():
        handlers.append(_on_replaced)


def unregister() -> None:
    """Remove the handlers and forget everything."""
    bpy.app.handlers.depsgraph_update_post.remove(_on_update)
    bpy.app.handlers.frame_change_pre.remove(_before_frame_change)
    for handlers in _replacement_handlers():
        handlers.remove(_on_replaced)
    _results.clear()


def _replacement_handlers() -> tuple[list[Any], ...]:
    """Return Blender's lists of handlers for the events after which all data is new."""
    handlers = bpy.app.handlers
    return handlers.undo_post, handlers.redo_post, handlers.load_post


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_update(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Forget everything if an Action has changed: the dependency graph does not always say which."""
    if depsgraph.id_type_updated("ACTION"):
        _results.clear()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _before_frame_change(scene: bpy.types.Scene, _depsgraph: bpy.types.Depsgraph | None) -> None:
    """Forget everything if an Action was changed just before: a change of frame updates the graph without a report."""
    graphs = [layer.depsgraph for layer in scene.view_layers]
    if any(graph is not None and graph.id_type_updated("ACTION") for graph in graphs):
        _results.clear()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_replaced(*_arguments: object) -> None:
    """Forget everything."""
    _results.clear()


def _fingerprint(action: bpy.types.Action) -> object:
    """Return the curves and their numbers of keys: quick to read, and up to date before Blender reports a change."""
    return [(fcurve.data_path, len(fcurve.keyframe_points)) for fcurve in compat.fcurves_of(action)]
