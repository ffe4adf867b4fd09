"""Put the recognised mapping into the list, where it can be edited."""

import bpy

from ...rigs.mapping import SOLVED, Mapping, Row
from ...scene import rig
from ...scene.selection import head_of
from .poll import enabled_with_own_keys


class LSF_OT_fill_mapping(bpy.types.Operator):
    """List the head's own shape keys with what they were recognised as, to change it. Keys that were not recognised are
    listed to be solved from their shapes, if none was
    """

    bl_idname = "lsf.fill_mapping"
    bl_label = "Edit as List"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_own_keys(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = head_of(context)
        everything = Mapping("", tuple(Row(name, SOLVED) for name in rig.own_keys(head.data)))
        head.lsf.set_mapping(rig.recognised_mapping(head) or everything)
        return {"FINISHED"}
