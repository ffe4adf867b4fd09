"""A switch for each channel of a line."""

import bpy

from ...animation import refresh
from ...errors import UserError
from .common import Tab


class LSF_UL_channels(bpy.types.UIList):
    def draw_item(self, _context, layout, _data, channel, _icon, _active_data, _active_name) -> None:
        row = layout.row()
        row.active = not channel.muted
        row.label(text=channel.name)
        row.prop(channel, "muted", text="", icon="CHECKBOX_DEHLT" if channel.muted else "CHECKBOX_HLT", emboss=False)


class _ChannelsPanel(Tab):
    bl_label = "Channels"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            return bool(refresh.current(context).lsf.channels)
        except UserError:  # the panel around this one says why
            return False

    def draw(self, context: bpy.types.Context) -> None:
        tweaks = refresh.current(context).lsf
        self.layout.template_list("LSF_UL_channels", "", tweaks, "channels", tweaks, "active_channel", rows=6)


class LSF_PT_view3d_channels(_ChannelsPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_tweak"


class LSF_PT_sequencer_channels(_ChannelsPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer_tweak"
