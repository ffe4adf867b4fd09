"""Which frames a head speaks: what Preview plays and Playblast renders."""

from typing import NamedTuple

import bpy

from .. import compat
from ..errors import UserError
from ..scene import evaluated_keys, strips


class Spoken(NamedTuple):
    scene: bpy.types.Scene
    first: int
    last: int
    name: str


def find(context: bpy.types.Context, head: bpy.types.Object) -> Spoken:
    """The chosen strip; without one, what animates the head."""
    scene = compat.sequencer_scene(context)
    try:
        line = strips.read_line(scene, strips.find_strip(scene, context.scene.lsf.strip))
    except UserError:
        return Spoken(context.scene, *evaluated_keys.frame_range(head.data, context.scene), head.name)
    return Spoken(scene, line.first_frame, line.first_frame + line.frames - 1, line.strip)
