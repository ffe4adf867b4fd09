"""Import and export of curves in the formats of other programs."""

import bpy

from ..operators import export_curves, import_live_link
from ..text import wrapped
from .common import Tab


class _ExchangePanel(Tab):
    bl_label = "Import & Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.operator("lsf.import_live_link", text="Live Link Face (.csv)", icon="IMPORT")
        column.separator()
        for format, text in (("CSV", "Live Link Face (.csv)"), ("JSON", "JSON (.json)")):
            column.operator("lsf.export_curves", text=text, icon="EXPORT").format = format
        reason = import_live_link.disabled_reason(context) or export_curves.disabled_reason(context)
        if reason:
            wrapped(self.layout, context, reason, "INFO")


class LSF_PT_view3d_exchange(_ExchangePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_exchange(_ExchangePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
