"""One head for all lines of a channel."""

import bpy

from ... import compat
from ...scene import strips
from .poll import enabled_unless


class LSF_OT_share_head(bpy.types.Operator):
    """Give the head of the active line to all lines on the same channel of the sequencer"""

    bl_idname = "lsf.share_head"
    bl_label = "Same Head for Channel"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        batch = context.scene.lsf.batch
        if not 0 <= batch.active < len(batch.lines) or batch.lines[batch.active].head is None:
            return enabled_unless(cls, "Choose a head for the active line first.")
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        batch = context.scene.lsf.batch
        active = batch.lines[batch.active]
        channels = {strip.name: strip.channel for strip in strips.sound_strips(compat.sequencer_scene(context))}
        if active.strip not in channels:
            self.report({"ERROR"}, f'There is no sound strip "{active.strip}" any more: list the lines again.')
            return {"CANCELLED"}
        for line in batch.lines:
            if channels.get(line.strip) == channels[active.strip]:
                line.head = active.head
        return {"FINISHED"}
