"""Style: how the head moves as an actor does, by style cards."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.wire import STYLE_FAMILIES
from ...scene import stored
from ...scene.own_properties import face_of
from ..operators.poll import linked_reason
from ..properties.style_labels import family_label, reason_label
from ..text import wrapped
from ..translations import OWN_CONTEXT
from .common import NEEDS_GENERATE, RowList, Tab, chosen_head

if TYPE_CHECKING:
    from ..properties.style import LSF_PG_style

ROWS = 3  # of the list


class LSF_UL_styles(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_style") -> None:
        split = layout.split(factor=0.5)
        split.prop(item, "name", text="", emboss=False, icon="USER")
        split.prop(item, "amount", text="", slider=True)


class _StylePanel(Tab):
    bl_label = "Style"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        if reason := linked_reason(head):
            wrapped(layout, context, reason, "INFO")
        face = face_of(head)
        if len(face.styles):
            row = layout.row()
            row.template_list("LSF_UL_styles", "", face, "styles", face, "active_style", rows=ROWS)
            row.operator("lsf.remove_style", text="", icon="REMOVE")
            wrapped(layout, context, NEEDS_GENERATE, "INFO")
            if 0 <= face.active_style < len(face.styles):
                _draw_families(layout, context, face.styles[face.active_style])
        else:
            wrapped(
                layout, context, "Record an actor's face with the sound: the head can move as this actor does", "INFO"
            )
        column = layout.column(align=True)
        column.operator("lsf.make_style_from_recording", text="From Live Link Recording", icon="REC")
        column.operator("lsf.make_style_from_action", text="From Action", icon="ACTION")
        row = layout.row(align=True)
        row.operator("lsf.load_style", text="Load", text_ctxt=OWN_CONTEXT, icon="FILE_FOLDER")
        row.operator("lsf.save_style", text="Save", text_ctxt=OWN_CONTEXT, icon="FILE_TICK")


def _draw_families(layout: bpy.types.UILayout, context: bpy.types.Context, style: "LSF_PG_style") -> None:
    """Draw what a card changes, and what it leaves at the default, and why."""
    fields = stored.document(style.fields)
    left_out, numbers = (found if isinstance(found := fields.get(key), dict) else {} for key in ("left_out", "numbers"))
    for family in STYLE_FAMILIES:
        if reason := reason_label(str(left_out.get(family))):
            text = iface("{family}: default, {reason}").format(family=family_label(family), reason=reason)
            wrapped(layout, context, text, "DOT")
        elif family in numbers:
            layout.label(text=family_label(family), icon="CHECKMARK", translate=False)


class LSF_PT_view3d_style(_StylePanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d"


class LSF_PT_sequencer_style(_StylePanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer"
