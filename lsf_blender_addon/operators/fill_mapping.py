"""Put the recognised mapping into the list, where it can be edited."""

import bpy

from .. import properties
from ..rigs.mapping import SOLVED, Mapping, Row
from ..scene import rig
from .poll import enabled_unless


class LSF_OT_fill_mapping(bpy.types.Operator):
    """List the head's own shape keys with what they were recognised as, to change it. Keys that were not recognised are
    listed to be solved from their shapes, if none was"""

    bl_idname = "lsf.fill_mapping"
    bl_label = "Edit as List"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = properties.head_of(context)
        if head is None or head.type != "MESH" or not rig.own_keys(head.data):
            return enabled_unless(cls, "The head has no shape keys of its own.")
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = properties.head_of(context)
        everything = Mapping("", tuple(Row(name, SOLVED) for name in rig.own_keys(head.data)))
        head.lsf.set_mapping(rig.recognised(head) or everything)
        return {"FINISHED"}
