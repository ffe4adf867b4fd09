"""Same Head for Channel: one head for all lines of a channel."""

import bpy

from ... import compat
from ...scene import strips
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from .poll import enabled_unless


class LSF_OT_share_head(bpy.types.Operator):
    """Assign the head of the active line to all lines on the same channel of the sequencer."""

    bl_idname = "lsf.share_head"
    bl_label = "Same Head for Channel"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        batch = settings_of(active_scene(context)).batch
        if not 0 <= batch.active < len(batch.lines) or batch.lines[batch.active].head is None:
            return enabled_unless(cls, "Choose a head for the active line first.")
        return True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        batch = settings_of(active_scene(context)).batch
        active = batch.lines[batch.active]
        channels = {strip.name: strip.channel for strip in strips.sound_strips(compat.sequencer_scene(context))}
        if active.strip not in channels:
            self.report({"ERROR"}, f'The sound strip "{active.strip}" no longer exists: list the lines again.')
            return {"CANCELLED"}
        for line in batch.lines:
            if channels.get(line.strip) == channels[active.strip]:
                line.head = active.head
        return {"FINISHED"}
