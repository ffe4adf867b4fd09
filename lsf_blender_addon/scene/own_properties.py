"""What the add-on keeps with Blender's data: `Scene.lsf`, `Object.lsf` and `Action.lsf`, under their types."""

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from ..ui.properties.face import LSF_PG_face
    from ..ui.properties.settings import LSF_PG_settings
    from ..ui.properties.tweaks import LSF_PG_tweaks


def settings_of(scene: bpy.types.Scene) -> "LSF_PG_settings":
    """What the artist has chosen in the panel for this scene."""
    return scene.lsf  # type: ignore[attr-defined]


def face_of(obj: bpy.types.Object) -> "LSF_PG_face":
    """What is known and chosen of the face of this object."""
    return obj.lsf  # type: ignore[attr-defined]


def tweaks_of(action: bpy.types.Action) -> "LSF_PG_tweaks":
    """The sliders of the line whose curves this Action holds."""
    return action.lsf  # type: ignore[attr-defined]
