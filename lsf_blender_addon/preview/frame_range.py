"""Which frames a head speaks: what Preview plays and Playblast renders."""

from typing import NamedTuple

import bpy

from .. import compat
from ..errors import UserError
from ..scene import evaluated_keys, strips


class FrameRange(NamedTuple):
    scene: bpy.types.Scene
    first: int
    last: int
    name: str


def find_frame_range(context: bpy.types.Context, head: bpy.types.Object) -> FrameRange:
    """The chosen strip; without one, what animates the head."""
    scene = compat.sequencer_scene(context)
    try:
        line = strips.read_line(scene, strips.find_strip(scene, context.scene.lsf.strip))
    except UserError:
        return FrameRange(context.scene, *evaluated_keys.animated_range(head.data, context.scene), head.name)
    return FrameRange(scene, line.first_frame, line.first_frame + line.frames - 1, line.strip)
