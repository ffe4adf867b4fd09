"""Preview, playblast and mouth graph of the line."""

import bpy

from ...preview import mouth_graph
from ..operators import playblast, preview
from ..text import wrapped
from .common import Tab


class _WatchPanel(Tab):
    bl_label = "Watch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        playing = context.screen is not None and context.screen.is_animation_playing
        layout.operator("lsf.preview", text="Stop" if playing else "Preview", icon="PAUSE" if playing else "PLAY")
        column = layout.column(align=True)
        column.operator("lsf.playblast", text="Playblast: Close-Up", icon="RENDER_ANIMATION").close_up = True
        row = column.row()
        row.enabled = context.scene.camera is not None
        row.operator(
            "lsf.playblast",
            text="Playblast: Scene Camera" if row.enabled else "No Camera in the Scene",
            icon="CAMERA_DATA",
        ).close_up = False
        layout.operator("lsf.show_mouth_graph", icon="GRAPH", depress=mouth_graph.is_shown())
        reason = preview.disabled_reason(context) or playblast.disabled_reason(context)
        if reason:
            wrapped(layout, context, reason, "INFO")


class LSF_PT_view3d_watch(_WatchPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_watch(_WatchPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
