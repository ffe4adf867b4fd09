"""Recognise Bones: fills the list of bones that channels move."""

import bpy

from ...errors import UserError
from ...jobs import recognise_bones
from ..blender_types import OperatorResult
from ..head import require_head
from .all_or_nothing import all_or_nothing
from .poll import enabled_with_head


class LSF_OT_recognise_bones(bpy.types.Operator):
    """Let channels move the bones of a Rigify face, controls named like ARKit channels, or a jaw bone.

    Poses that you have set for other channels stay.
    """

    bl_idname = "lsf.recognise_bones"
    bl_label = "Recognise Bones"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    @all_or_nothing
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        try:
            text = recognise_bones.recognise(require_head(context))
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{text}.")
        return {"FINISHED"}
