"""Batch: the table of all lines of a scene, and the progress of their generation."""

from typing import TYPE_CHECKING

import bpy

from ... import compat
from ...client.jobs import State
from ...jobs import session
from ...scene.own_properties import settings_of
from ..blender_types import IconItems
from ..operators import generate_all
from ..text import wrapped
from .common import RowList, Tab

if TYPE_CHECKING:
    from ..properties.batch import LSF_PG_batch_line

ICONS: dict[State, IconItems] = {
    State.WAITING: "TIME",
    State.RUNNING: "PLAY",
    State.DONE: "CHECKMARK",
    State.FAILED: "ERROR",
    State.CANCELLED: "X",
}


class LSF_UL_batch(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_batch_line") -> None:
        row = layout.row(align=True)
        batch = session.batch
        name = item.shown_strip(compat.sequencer_scene(bpy.context))
        # Lines of the running batch are found by the names of their strips.
        index = next((i for i, line in enumerate(batch.items) if line.name == name), -1) if batch else -1
        if batch is not None:
            row.label(text="", icon=ICONS[batch.items[index].state] if index >= 0 else "BLANK1")
        elif item.head is None:
            box = row.row()
            box.enabled = False  # nobody speaks it, so it cannot be ticked
            box.label(text="", icon="CHECKBOX_DEHLT")
        else:
            row.prop(item, "use", text="")
        row.label(text=name, translate=False)
        if index >= 0 and not batch.items[index].state.ended:
            row.operator("lsf.cancel", text="", icon="X", emboss=False).line = index
        else:
            row.prop(item, "head", text="")


class _BatchPanel(Tab):
    bl_label = "Batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, batch = self.layout, settings_of(context.scene).batch
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.row().prop(batch, "source", expand=True)
        column.prop(batch, "by")  # a menu: buttons side by side would be cut off in a narrow sidebar
        column.operator("lsf.list_lines", icon="FILE_REFRESH")
        if batch.lines:
            layout.template_list("LSF_UL_batch", "", batch, "lines", batch, "active", rows=4)
            layout.operator("lsf.share_head", icon="LINKED")
        row = layout.row(align=True)
        if session.batch is None:
            row.operator("lsf.generate_all", icon="PLAY")
        else:
            row.progress(factor=session.batch.fraction, text=session.batch.text)
            row.operator("lsf.cancel", text="", icon="X").line = -1
        row = layout.row(align=True)
        row.operator("lsf.export_manifest", icon="EXPORT")
        row.operator("lsf.pick_batch_results", icon="IMPORT")
        reason = generate_all.disabled_reason(context) if session.batch is None else ""
        if reason:
            wrapped(layout, context, reason, "INFO")
        for name, error in session.failures:
            wrapped(layout, context, f"{name}: {error}", "ERROR")


class LSF_PT_view3d_batch(_BatchPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_batch(_BatchPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
