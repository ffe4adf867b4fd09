"""The add-on's properties on Blender's data, typed: `Scene.lsf`, `Object.lsf` and `Action.lsf`.

They are registered by ui/registration.py; the classes are imported for the type checker alone.

Blender checks the limits of a property where it is set, but not where a file is read: `number` and `choice` do.
"""

import math
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from ..ui.properties.face import LSF_PG_face
    from ..ui.properties.lines import LSF_PG_line
    from ..ui.properties.settings import LSF_PG_settings


def number(group: bpy.types.PropertyGroup, name: str) -> float:
    """A number in a group, within the limits of its property; the default where the file holds none."""
    prop: Any = group.bl_rna.properties[name]
    value = getattr(group, name)
    return min(max(value, prop.hard_min), prop.hard_max) if math.isfinite(value) else prop.default


def choice(group: bpy.types.PropertyGroup, name: str) -> str:
    """What is chosen in a group; the default where the file holds a choice of another version."""
    prop: Any = group.bl_rna.properties[name]
    return getattr(group, name) or prop.default


def settings_of(scene: bpy.types.Scene | None) -> "LSF_PG_settings":
    """The panel's settings in this scene; `context.scene`, which the stubs call optional, is fine."""
    return scene.lsf


def face_of(obj: bpy.types.Object) -> "LSF_PG_face":
    """What is stored about the face of this object: parts, landmarks, mapping of its shape keys, head motion."""
    return obj.lsf  # type: ignore[attr-defined]  # registered at run time


def lines_of(action: bpy.types.Action) -> "bpy.types.bpy_prop_collection_idprop[LSF_PG_line]":
    """The lines of a head whose generated Action this is."""
    return action.lsf.lines  # type: ignore[attr-defined]  # registered at run time
