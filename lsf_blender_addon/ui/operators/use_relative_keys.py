"""Turn On Relative: makes absolute shape keys of the head relative ones."""

import bpy

from ...scene.access import mesh_of, shape_keys_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import disabled_reason_override, enabled_unless


class LSF_OT_use_relative_keys(bpy.types.Operator):
    """Let the shape keys of the head add to each other, instead of playing one after the other."""

    bl_idname = "lsf.use_relative_keys"
    bl_label = "Turn On Relative"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        keys = mesh_of(head).shape_keys if head is not None else None
        if keys is None or keys.use_relative:
            return enabled_unless(cls, "The shape keys of the head are relative.")
        assert head is not None
        return enabled_unless(cls, disabled_reason_override(head))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        head = require_head(context)
        shape_keys_of(mesh_of(head)).use_relative = True
        return {"FINISHED"}
