"""Throw away blinks, gaze or head motion."""

import bpy

from ...animation import head_motion, layers, refresh
from ...scene.head_motion import find_constraint
from ...scene.selection import head_of
from ..properties.layers import LAYERS
from .poll import enabled_with_head


class LSF_OT_remove_layer(bpy.types.Operator):
    """Take this layer off all lines of the head. What you animated yourself stays"""

    bl_idname = "lsf.remove_layer"
    bl_label = "Remove Layer"
    bl_options = {"REGISTER", "UNDO"}

    layer: bpy.props.EnumProperty(name="Layer", description="What to take off", items=LAYERS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        head = head_of(context)
        if not is_there(head, self.layer):
            self.report({"INFO"}, "This head has no such layer.")
            return {"CANCELLED"}
        if self.layer == "head":
            head_motion.remove(head.lsf.nod.object, head.lsf.nod.bone)
        else:
            layers.remove(head.data, self.layer)
            refresh.refresh_all(head.data)  # its keys are speech's again
        return {"FINISHED"}


def is_there(head: bpy.types.Object, layer: str) -> bool:
    """Whether the head has this layer."""
    if layer == "head":
        return find_constraint(head.lsf.nod.object, head.lsf.nod.bone) is not None
    return layers.present(head.data, layer)
