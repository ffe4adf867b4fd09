"""The add-on's properties on Blender's data, typed: `Scene.lsf`, `Object.lsf` and `Action.lsf`.

They are registered by ui/registration.py; the classes are imported for the type checker alone.
"""

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from ..ui.properties.face import LSF_PG_face
    from ..ui.properties.lines import LSF_PG_line
    from ..ui.properties.settings import LSF_PG_settings


def settings_of(scene: bpy.types.Scene | None) -> "LSF_PG_settings":
    """The panel's settings in this scene; `context.scene`, which the stubs call optional, is fine."""
    return scene.lsf


def face_of(obj: bpy.types.Object) -> "LSF_PG_face":
    """What is stored about the face of this object: parts, landmarks, mapping of its shape keys, head motion."""
    return obj.lsf  # type: ignore[attr-defined]  # registered at run time


def lines_of(action: bpy.types.Action) -> "bpy.types.bpy_prop_collection_idprop[LSF_PG_line]":
    """The lines of a head whose generated Action this is."""
    return action.lsf.lines  # type: ignore[attr-defined]  # registered at run time
