"""Same Head for Channel: one head for all lines of a channel."""

import bpy

from ... import compat
from ...scene import strip_identity
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
        scene = compat.sequencer_scene(context)
        found = [strip_identity.find_named(scene, line.strip, line.strip_id) for line in batch.lines]
        chosen = found[batch.active]
        if chosen is None:
            self.report({"ERROR"}, f'The sound strip "{active.strip}" no longer exists: list the lines again.')
            return {"CANCELLED"}
        for line, strip in zip(batch.lines, found, strict=True):
            if strip is not None and strip.channel == chosen.channel:
                line.head = active.head
        return {"FINISHED"}
