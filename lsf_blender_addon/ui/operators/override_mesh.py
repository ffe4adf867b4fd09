"""Override the Mesh: lets Blender save the animation of a library override whose mesh is still linked."""

import bpy

from ...animation import override_settings
from ...scene import character
from ...scene.access import mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_override_mesh(bpy.types.Operator):
    """Make library overrides of the meshes of this head and its parts, so that their shape keys can be animated.

    Blender's own menu overrides the objects alone.
    """

    bl_idname = "lsf.override_mesh"
    bl_label = "Override the Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        head = find_head(context)
        has_linked = head is not None and bool(_linked_meshes(context, head))
        return enabled_unless(cls, "" if has_linked else "No mesh of this head has to be overridden.")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        linked = {obj: mesh_of(obj) for obj in _linked_meshes(context, require_head(context))}
        try:
            for obj, mesh in linked.items():
                overridden = mesh.override_create()  # of this object alone: others may be other characters
                assert isinstance(overridden, bpy.types.Mesh)
                obj.data = overridden
                override_settings.own(obj)
        except Exception:  # all of them, or none
            for obj, mesh in linked.items():
                if obj.data != mesh:
                    overridden, obj.data = mesh_of(obj), mesh
                    bpy.data.meshes.remove(overridden)
            raise
        return {"FINISHED"}


def _linked_meshes(context: bpy.types.Context, head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the head and its parts, as far as the object is in this file and its mesh is linked."""
    objects = (head, *character.find_parts(context, head))
    return [obj for obj in objects if obj.library is None and mesh_of(obj).library]
