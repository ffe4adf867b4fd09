"""Import and export in the formats of other programs: one row for each format."""

import bpy

from ..operators import export_character, export_curves, import_live_link
from ..text import wrapped
from .common import Tab


class _ExchangePanel(Tab):
    bl_label = "Import & Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        row = _add_row(column, "Live Link Face")
        row.operator("lsf.import_live_link", text="Import")
        row.operator("lsf.export_curves", text="Export").format = "CSV"
        for operator, format, text in (
            ("lsf.export_curves", "JSON", "JSON"),
            ("lsf.export_character", "GLB", "glTF"),
            ("lsf.export_character", "FBX", "FBX"),
        ):
            row = _add_row(column, text)
            row.label()  # none of these is imported
            row.operator(operator, text="Export").format = format
        reason = (
            import_live_link.disabled_reason(context)
            or export_curves.disabled_reason(context)
            or export_character.disabled_reason(context)
        )
        if reason:
            wrapped(self.layout, context, reason, "INFO")


def _add_row(column: bpy.types.UILayout, text: str) -> bpy.types.UILayout:
    """Add a row for a format, and return the layout for its buttons: the first imports, the second exports."""
    split = column.split(factor=0.45)
    split.label(text=text)
    return split.row(align=True)


class LSF_PT_view3d_exchange(_ExchangePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_exchange(_ExchangePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
