"""Keeps the add-on's settings of library overrides with the scene.

Blender does not save property groups of an overridden object: they come back in part, or as they are in the library.
So what differs from the library is written to the scene before the file is saved, and read again after it was opened.
When a library is reloaded, Blender drops the settings until the file is opened again.
"""

import contextlib
import json
from typing import Any

import bpy

from ..scene import stored
from ..scene.own_properties import face_of
from . import property_values
from .property_values import Values

SETTINGS = "lsf"  # of an object, see scene/own_properties.py
PROPERTY = "lsf_overrides"  # custom property on a scene: {object: settings}, as JSON
UNREADABLE = (AttributeError, KeyError, RecursionError, TypeError, ValueError)  # what damaged settings raise
OBJECT, ACTION = "lsf_object", "lsf_action"  # in place of a pointer: {OBJECT: name}


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs have no signature for it
def keep(*_arguments: object) -> None:
    """Write the settings of all overridden objects to their scenes: a handler of save_pre.

    Settings that are those of the library replace nothing: Blender may have dropped the artist's.
    """
    for obj in bpy.data.objects:
        reference = obj.override_library.reference if obj.override_library else None
        scene = next((scene for scene in obj.users_scene if scene.library is None), None)
        if not isinstance(reference, bpy.types.Object) or scene is None:
            continue
        values = property_values.read(face_of(obj))
        if _plain(values) != _plain(property_values.read(face_of(reference))):
            scene[PROPERTY] = json.dumps(_kept(scene) | {obj.name: _plain(values)})


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def restore(*_arguments: object) -> None:
    """Give the overridden objects their settings back: a handler of load_post."""
    for scene in bpy.data.scenes:
        for name, values in _kept(scene).items():
            obj: bpy.types.Object | None = bpy.data.objects.get((name, None))
            if obj is not None and obj.override_library:
                obj.property_unset(SETTINGS)
                with contextlib.suppress(*UNREADABLE):  # as much as is not damaged
                    property_values.restore(face_of(obj), _with_blocks(values))
    for obj in bpy.data.objects:
        own(obj)


def own(obj: bpy.types.Object) -> None:
    """Make the settings of an overridden object its own: Blender lets nobody remove items that the library has.

    Python's references to settings of this object are invalid afterwards.
    """
    reference = obj.override_library.reference if obj.override_library else None
    if reference is None or not reference.is_property_set(SETTINGS):
        return
    values = property_values.read(face_of(obj))
    obj.property_unset(SETTINGS)
    property_values.restore(face_of(obj), values)


def register() -> None:
    """Add the handlers."""
    bpy.app.handlers.save_pre.append(keep)
    bpy.app.handlers.load_post.append(restore)


def unregister() -> None:
    """Remove the handlers."""
    bpy.app.handlers.load_post.remove(restore)
    bpy.app.handlers.save_pre.remove(keep)


def _kept(scene: bpy.types.Scene) -> dict[str, Values]:
    """What a scene keeps, by object; nothing if that is damaged."""
    kept = stored.document(scene.get(PROPERTY))
    return {name: values for name, values in kept.items() if isinstance(values, dict)}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, bpy.types.ID):
        return {ACTION if isinstance(value, bpy.types.Action) else OBJECT: value.name}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _with_blocks(value: Any) -> Any:
    """A value from JSON, with the objects and Actions that it names; local ones first."""
    if isinstance(value, dict):
        for kind, blocks in ((OBJECT, bpy.data.objects), (ACTION, bpy.data.actions)):
            if isinstance(name := value.get(kind), str):
                return blocks.get((name, None)) or blocks.get(name)
        return {name: _with_blocks(inner) for name, inner in value.items()}
    if isinstance(value, list):
        inner = [_with_blocks(item) for item in value]
        return inner if all(isinstance(item, dict) for item in inner) else tuple(inner)
    return value
