"""Extend the scene's frame range to the end of the line."""

import bpy

from ... import compat
from ...errors import UserError
from ...scene import new_strip, strips
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_extend_scene(bpy.types.Operator):
    """Set the last frame of the scene to the last frame of the line, so that playback and renders contain all of it."""

    bl_idname = "lsf.extend_scene"
    bl_label = "Extend Scene to Line"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, "" if late_end(context) else "The line does not end after the scene.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        compat.sequencer_scene(context).frame_end = late_end(context)
        return {"FINISHED"}


def late_end(context: bpy.types.Context) -> int:
    """Return the last frame of the chosen line if it is after the end of its scene; else 0."""
    scene, settings = compat.sequencer_scene(context), settings_of(context.scene)
    try:
        last = new_strip.last_frame(strips.find_strip(scene, settings.strip, settings.strip_id))
    except UserError:
        return 0
    return last if last > scene.frame_end else 0
