"""What the artist has chosen in the panels: the head, and the layers that it is to get."""

import bpy


def head_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that was chosen in the panel, or the active object."""
    return context.scene.lsf.head or context.active_object


def enabled_layers(settings, head: bpy.types.Object) -> list[str]:
    """Names of the layers that Generate is to make for this head; `settings` are LSF_PG_settings."""
    wishes = {"blinks": settings.layers.blinks, "gaze": settings.layers.gaze, "head": head.lsf.nod.object is not None}
    return [name for name, wish in wishes.items() if wish]
