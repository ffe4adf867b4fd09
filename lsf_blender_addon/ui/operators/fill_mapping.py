"""Edit as List: copies the recognised mapping into a list that can be edited."""

import bpy

from ...rigs.mapping import SOLVED, Mapping, Row
from ...scene import rig
from ...scene.access import mesh_of
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from .poll import enabled_with_own_keys


class LSF_OT_fill_mapping(bpy.types.Operator):
    """Copy the recognised mapping into a list that you can edit.

    If no shape key is recognised, all are listed to be solved from their shapes.
    """

    bl_idname = "lsf.fill_mapping"
    bl_label = "Edit as List"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_own_keys(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        everything = Mapping("", tuple(Row(name, SOLVED) for name in rig.own_keys(mesh_of(head))))
        face_of(head).set_mapping(rig.recognised_mapping(head) or everything)
        return {"FINISHED"}
