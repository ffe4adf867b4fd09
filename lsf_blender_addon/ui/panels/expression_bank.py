"""Expression Bank: the faces that the artist has made for the chosen head, to choose them as emotions."""

from typing import TYPE_CHECKING

import bpy

from ...scene.own_properties import face_of
from ..operators.poll import linked_reason
from ..text import wrapped
from ..translations import OWN_CONTEXT
from .common import RowList, Tab, chosen_head

if TYPE_CHECKING:
    from ..properties.expression_bank import LSF_PG_expression

ROWS = 4  # of the list


class LSF_UL_expressions(RowList, bpy.types.UIList):
    @staticmethod
    def draw_row(layout: bpy.types.UILayout, item: "LSF_PG_expression") -> None:
        layout.prop(item, "name", text="", emboss=False, icon="FACE_MAPS")


class _ExpressionBankPanel(Tab):
    bl_label = "Expression Bank"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        head = chosen_head(layout, context)
        if head is None:
            return
        if reason := linked_reason(head):
            wrapped(layout, context, reason, "INFO")
        face = face_of(head)
        if len(face.bank):
            row = layout.row()
            row.template_list("LSF_UL_expressions", "", face, "bank", face, "active_expression", rows=ROWS)
            row.operator("lsf.remove_expression", text="", icon="REMOVE")
        else:
            wrapped(
                layout, context, "Pose the face, then press Add to Bank: it appears in the menu Emotion then", "INFO"
            )
        column = layout.column(align=True)
        column.operator("lsf.add_expression", icon="ADD")
        column.operator("lsf.add_from_picture", text="From Picture", icon="IMAGE_DATA")
        column.operator("lsf.add_expression_from_action", text="From Action or Pose Asset", icon="ACTION")
        column.operator("lsf.add_expression_from_recording", text="From Live Link Recording", icon="REC")
        row = layout.row(align=True)
        row.operator("lsf.load_expressions", text="Load", text_ctxt=OWN_CONTEXT, icon="FILE_FOLDER")
        row.operator("lsf.save_expressions", text="Save", text_ctxt=OWN_CONTEXT, icon="FILE_TICK")
        layout.operator_menu_enum("lsf.copy_expressions", "head", text="Copy from Head", icon="DUPLICATE")


class LSF_PT_view3d_expression_bank(_ExpressionBankPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_parent_id = "LSF_PT_view3d_emotion"


class LSF_PT_sequencer_expression_bank(_ExpressionBankPanel, bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_parent_id = "LSF_PT_sequencer_emotion"
