"""Cut the Mouth: splits lips that are one surface."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...errors import UserError
from ...scene import mouth_cut, mouth_seam
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_cut_mouth(bpy.types.Operator):
    """Split lips that are one surface along the line where they meet.

    Shape keys, UV maps, weights and custom normals stay. Press Generate again afterwards.
    """

    bl_idname = "lsf.cut_mouth"
    bl_label = "Cut the Mouth"
    bl_options = {"REGISTER", "UNDO"}

    inside: bpy.props.BoolProperty(
        name="Inside", description="Add faces behind the lips, so that no hole shows in the open mouth", default=True
    )
    own_material: bpy.props.BoolProperty(
        name="Own Material",
        description="Give the inside a dark material in a new slot. Otherwise it has that of the lips",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        seam = mouth_seam.read(head)
        assert seam is not None  # `poll` has looked
        try:
            made = mouth_cut.cut(head, seam, self.inside, self.own_material)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        mouth_seam.write(head, None)
        text = iface("The lips are cut: press Generate again")
        if self.inside and not made:
            text += iface("; the mouth had an inside")
        self.report({"INFO"}, text)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why the mouth cannot be cut, as a sentence; empty if it can."""
    head = find_head(context)
    if head is None:
        return "Select the head: a mesh object."
    if not mouth_seam.is_welded(head):
        return "The lips are not known to be one surface: press Find Landmarks first."
    try:
        mouth_cut.check(head)
    except UserError as error:
        return f"{error}."
    return ""
