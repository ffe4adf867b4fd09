"""Preview: plays the line with its sound in a loop."""

import bpy

from ...jobs import line_list
from ...preview import playback
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_preview(bpy.types.Operator):
    """Play the line with its sound in a loop.

    Press again or Esc to stop, which restores the preview range and the sync mode.
    """

    bl_idname = "lsf.preview"
    bl_label = "Preview"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        if context.screen.is_animation_playing:
            bpy.ops.screen.animation_cancel(restore_frame=False)
            return {"FINISHED"}
        line = line_list.frames_to_watch(context, require_head(context))
        if line.scene != context.scene and context.area.type != "SEQUENCE_EDITOR":
            self.report(
                {"ERROR"},
                f'The strip is in scene "{line.scene.name}": press Preview in the sidebar of the '
                "sequencer, which plays that scene.",
            )
            return {"CANCELLED"}
        playback.apply_settings(line.scene, line.first, line.last)
        bpy.ops.screen.animation_play(sync=True)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Preview is disabled, as a sentence; empty if it is not."""
    if context.screen is None or bpy.app.background:
        return "There is no window for the preview."
    if context.screen.is_animation_playing:
        return ""
    if find_head(context) is None:
        return "Select the head: a mesh object."
    return ""
