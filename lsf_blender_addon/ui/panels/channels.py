"""A switch that mutes each channel of a line."""

from typing import TYPE_CHECKING

import bpy

from ...animation.chosen_line import chosen_line
from ...errors import UserError
from .common import RowList, Tab

if TYPE_CHECKING:
    from ..properties.tweaks import LSF_PG_channel


class LSF_UL_channels(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_channel") -> None:
        row = layout.row()
        row.active = not item.muted
        row.label(text=item.name)
        row.prop(item, "muted", text="", icon="CHECKBOX_DEHLT" if item.muted else "CHECKBOX_HLT", emboss=False)


class _ChannelsPanel(Tab):
    bl_label = "Channels"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            return bool(chosen_line(context).record.tweaks.channels)
        except UserError:  # the parent panel shows the reason
            return False

    def draw(self, context: bpy.types.Context) -> None:
        tweaks = chosen_line(context).record.tweaks
        self.layout.template_list("LSF_UL_channels", "", tweaks, "channels", tweaks, "active_channel", rows=6)


class LSF_PT_view3d_channels(_ChannelsPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_tweak"


class LSF_PT_sequencer_channels(_ChannelsPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer_tweak"
