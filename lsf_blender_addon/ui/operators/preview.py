"""Preview: play the line with its sound, and stop."""

import bpy

from ...preview import frame_range, playback
from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_preview(bpy.types.Operator):
    """Play the line with its sound, from its first frame on and again. Press once more, or Esc, to stop: preview range
    and synchronisation are then as they were before
    """

    bl_idname = "lsf.preview"
    bl_label = "Preview"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.screen.is_animation_playing:
            bpy.ops.screen.animation_cancel(restore_frame=False)
            return {"FINISHED"}
        line = frame_range.find_frame_range(context, head_of(context))
        if line.scene != context.scene and context.area.type != "SEQUENCE_EDITOR":
            self.report(
                {"ERROR"},
                f'The strip lies in scene "{line.scene.name}": press Preview in the sidebar of the '
                "sequencer, which plays that scene.",
            )
            return {"CANCELLED"}
        playback.apply_settings(line.scene, line.first, line.last)
        bpy.ops.screen.animation_play(sync=True)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why nothing can be played; empty if it can."""
    if context.screen is None or bpy.app.background:
        return "There is no window to play it in."
    if context.screen.is_animation_playing:
        return ""
    head = head_of(context)
    if head is None or head.type != "MESH":
        return "Select the head: a mesh object."
    return ""
