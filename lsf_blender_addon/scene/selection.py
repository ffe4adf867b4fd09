"""The head that the artist has chosen, and the layers that Generate adds to it."""

from typing import TYPE_CHECKING

import bpy

from .access import active_scene
from .own_properties import face_of, settings_of

if TYPE_CHECKING:
    from ..ui.properties.settings import LSF_PG_settings


def head_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that was chosen in the panel, else the active object, or the one head whose bones that object has."""
    chosen = settings_of(context.scene).head or context.active_object
    if chosen is not None and chosen.type == "ARMATURE":
        heads = [
            obj for obj in active_scene(context).objects if obj.type == "MESH" and face_of(obj).bones.armature == chosen
        ]
        return heads[0] if len(heads) == 1 else chosen
    return chosen


def enabled_layers(settings: "LSF_PG_settings", head: bpy.types.Object) -> list[str]:
    """Names of the layers that Generate adds to this head: "blinks", "gaze", "head"."""
    enabled = {
        "blinks": settings.layers.blinks,
        "gaze": settings.layers.gaze,
        "head": face_of(head).nod.object is not None,
    }
    return [name for name, is_enabled in enabled.items() if is_enabled]
