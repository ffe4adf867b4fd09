"""The frames of the line that Preview plays and Playblast renders."""

from typing import NamedTuple

import bpy

from .. import compat
from ..errors import UserError
from ..scene import evaluated_keys, strips
from ..scene.access import active_scene, mesh_of
from ..scene.own_properties import settings_of


class FrameRange(NamedTuple):
    """Frames of a scene.

    Attributes:
        scene: The scene.
        first: First frame.
        last: Last frame.
        name: Name of the strip or head that the range was taken from.
    """

    scene: bpy.types.Scene
    first: int
    last: int
    name: str


def find_frame_range(context: bpy.types.Context, head: bpy.types.Object) -> FrameRange:
    """The frames of the chosen strip; if there is none, those of the animation of the head's shape keys."""
    scene, settings = compat.sequencer_scene(context), settings_of(context.scene)
    try:
        line = strips.read_line(scene, strips.find_strip(scene, settings.strip, settings.strip_id))
    except UserError:
        active = active_scene(context)
        return FrameRange(active, *evaluated_keys.animated_range(mesh_of(head), active), head.name)
    return FrameRange(scene, line.first_frame, line.first_frame + line.frames - 1, line.strip)
