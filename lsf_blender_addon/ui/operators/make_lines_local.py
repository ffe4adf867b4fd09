"""Make Lines Local: takes the lines that a library has for an overridden head into this file."""

import bpy

from ...animation import actions
from ...scene.access import mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_make_lines_local(bpy.types.Operator):
    """Copy the lines of this head from its library into this file, where they can be changed."""

    bl_idname = "lsf.make_lines_local"
    bl_label = "Make Lines Local"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        is_linked = head is not None and _linked_action(head) is not None
        return enabled_unless(cls, "" if is_linked else "The lines of the head are in this file.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        action = _linked_action(require_head(context))
        assert action is not None
        action.make_local()
        return {"FINISHED"}


def _linked_action(head: bpy.types.Object) -> bpy.types.Action | None:
    """Return the generated Action of a head whose mesh is of this file, if the Action is linked."""
    mesh = mesh_of(head)
    action = actions.existing(mesh) if mesh.library is None else None
    return action if action is not None and action.library is not None else None
