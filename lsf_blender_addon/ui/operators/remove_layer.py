"""Remove Layer: removes blinks, gaze or head motion."""

import bpy

from ...animation import head_motion, layers, refresh
from ...scene.access import mesh_of
from ...scene.head_motion import find_constraint
from ...scene.own_properties import face_of
from ..blender_types import OperatorResult
from ..head import require_head
from ..properties.layers import LAYERS
from .poll import enabled_with_head


class LSF_OT_remove_layer(bpy.types.Operator):
    """Remove this layer from all lines of the head.

    Your own animation is kept.
    """

    bl_idname = "lsf.remove_layer"
    bl_label = "Remove Layer"
    bl_options = {"REGISTER", "UNDO"}

    layer: bpy.props.EnumProperty(name="Layer", description="Layer to remove", items=LAYERS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_with_head(cls, context)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        if not is_there(head, self.layer):
            self.report({"INFO"}, "This head does not have the layer.")
            return {"CANCELLED"}
        if self.layer == "head":
            head_motion.remove(face_of(head).nod.object, face_of(head).nod.bone)
        else:
            layers.remove(mesh_of(head), self.layer)
            refresh.refresh_all(mesh_of(head))  # speech drives the keys of the layer again
        return {"FINISHED"}


def is_there(head: bpy.types.Object, layer: str) -> bool:
    """Return whether the head has this layer."""
    if layer == "head":
        return find_constraint(face_of(head).nod.object, face_of(head).nod.bone) is not None
    return layers.present(mesh_of(head), layer)
