"""Finds shape keys that have no shape, and remembers them for panels, which ask at every redraw.

Exporters write keys under all names of a standard, also those that move nothing. Blender reports edits of a mesh
through its dependency graph, but not which keys were edited, and it reports a moved slider in the same way. So after a
report each key is looked at again, but of a key that had a shape only the vertex that moved most.
"""

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .meshes import coordinates

EMPTY_SHARE = 5e-5  # of the mesh's diagonal: 0.02 mm on a head, and more than exporters that round to 16 bits leave
CHECK_SHARE = 0.05  # of the time that may go into looking at keys again, while a slider is dragged


@dataclass(frozen=True)
class _Known:
    """What is known of a mesh.

    Attributes:
        names: Names of its keys.
        count: Its number of vertices.
        empty: Names of the keys without a shape.
        moving: For each other key the vertex that moves most.
        edits: Value of _edits when the keys were looked at.
        next_check: Time before which they are not looked at again.
    """

    names: tuple[str, ...]
    count: int
    empty: frozenset[str]
    moving: dict[str, int]
    edits: int
    next_check: float


_known: dict[int, _Known] = {}  # by session_uid of the Key data-block
_edits = 0  # how often Blender reported that a mesh or its keys changed


def find(mesh: bpy.types.Mesh) -> frozenset[str]:
    """Return the names of the keys that have no shape, except the reference key.

    The influence of a vertex group is not looked at. While a slider is dragged, the answer may be some frames old.

    Args:
        mesh: A mesh, with or without keys.
    """
    keys = mesh.shape_keys
    if keys is None:
        return frozenset()
    names = tuple(key.name for key in keys.key_blocks)
    known = _known.get(keys.session_uid)
    if known is None or known.names != names or known.count != len(mesh.vertices):
        known = None
    elif known.edits == _edits or perf_counter() < known.next_check:
        return known.empty
    start = perf_counter()
    known = _look(mesh, names, known)
    end = perf_counter()
    if _on_update in bpy.app.handlers.depsgraph_update_post:  # without the handlers, no change would be noticed
        _known[keys.session_uid] = replace(known, next_check=end + (end - start) / CHECK_SHARE)
    return known.empty


def forget(mesh: bpy.types.Mesh) -> None:
    """Look at all keys again when asked next, for code to which the answer must be exact."""
    if mesh.shape_keys is not None:
        _known.pop(mesh.shape_keys.session_uid, None)


def register() -> None:
    """Add the handlers; before that, nothing is remembered."""
    bpy.app.handlers.depsgraph_update_post.append(_on_update)
    for handlers in _replacement_handlers():
        handlers.append(_on_replaced)


def unregister() -> None:
    """Remove the handlers and forget everything."""
    bpy.app.handlers.depsgraph_update_post.remove(_on_update)
    for handlers in _replacement_handlers():
        handlers.remove(_on_replaced)
    _known.clear()


def _look(mesh: bpy.types.Mesh, names: tuple[str, ...], known: _Known | None) -> _Known:
    """Look at the keys of a mesh.

    Args:
        mesh: The mesh.
        names: Names of its keys.
        known: What was known of these keys before.
    """
    keys = mesh.shape_keys
    reference = keys.reference_key
    base = coordinates(reference.points)
    smallest = EMPTY_SHARE * float(np.linalg.norm(np.ptp(base, axis=0))) if len(base) else 0.0
    rests: dict[str, NDArray[np.float32]] = {reference.name: base}
    empty: set[str] = set()
    moving: dict[str, int] = {}
    for key in keys.key_blocks:
        if key == reference:
            continue
        rest = key.relative_key
        vertex = known.moving.get(key.name) if known else None
        if vertex is None or _offset_of(key, rest, vertex) <= smallest:
            if rest.name not in rests:
                rests[rest.name] = coordinates(rest.points)
            offsets = np.abs(coordinates(key.points) - rests[rest.name]).ravel()
            largest = int(offsets.argmax()) if len(offsets) else 0
            vertex = largest // 3 if len(offsets) and offsets[largest] > smallest else None
        if vertex is None:
            empty.add(key.name)
        else:
            moving[key.name] = vertex
    return _Known(names, len(mesh.vertices), frozenset(empty), moving, _edits, 0.0)


def _offset_of(key: bpy.types.ShapeKey, rest: bpy.types.ShapeKey, vertex: int) -> float:
    """Return the offset of one vertex, on the axis on which it is largest."""
    there, here = key.points[vertex].co, rest.points[vertex].co
    return max(abs(there[axis] - here[axis]) for axis in range(3))


def _replacement_handlers() -> tuple[list[Any], ...]:
    """Return Blender's lists of handlers for the events after which all data is new."""
    handlers = bpy.app.handlers
    return handlers.undo_post, handlers.redo_post, handlers.load_post


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_update(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Note that a mesh or its keys changed: the dependency graph does not always say which."""
    global _edits
    if depsgraph.id_type_updated("MESH") or depsgraph.id_type_updated("KEY"):
        _edits += 1


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def _on_replaced(*_arguments: object) -> None:
    """Forget everything."""
    _known.clear()
