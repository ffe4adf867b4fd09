"""Add the neutral head that comes with the add-on."""

import math

import bpy
from mathutils import Euler

from ...scene import talking_head
from ..blender_types import OperatorResult
from .poll import enabled_unless

FACE_VIEW = Euler((math.radians(85), 0, math.radians(25)))  # from the front, a bit from the head's left and above


class LSF_OT_add_head(bpy.types.Operator):
    """Add a neutral head that is ready for speech animation, and show it.

    It is as large as a real head and stands at the 3D cursor, or beside what stands there.
    """

    bl_idname = "lsf.add_head"
    bl_label = "Talking Head"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            return enabled_unless(cls, "Go to Object Mode first.")
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Add the head, and turn the viewport to it: a head is small beside Blender's default objects."""
        show(context, add(context))
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        add(context)
        return {"FINISHED"}


def add(context: bpy.types.Context) -> bpy.types.Object:
    """Add a head, make it the active and only selected object, and return it."""
    obj = talking_head.add(context)
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    assert context.view_layer is not None  # it is set wherever an operator runs
    context.view_layer.objects.active = obj
    return obj


def show(context: bpy.types.Context, obj: bpy.types.Object, turned: bool = False) -> None:
    """Frame the selected object in the viewport. A view through a camera is left alone.

    Args:
        context: Tells the viewport: the one in which the button is, else the first one of the window.
        obj: The head, which looks to −Y.
        turned: Whether to turn the viewport to the face, too; else it keeps its direction.
    """
    areas = [context.area] if context.area and context.area.type == "VIEW_3D" else []
    areas += [area for area in (context.screen.areas if context.screen else ()) if area.type == "VIEW_3D"]
    for area in areas[:1]:
        space = area.spaces.active
        assert isinstance(space, bpy.types.SpaceView3D)
        if space.local_view is not None:
            obj.local_view_set(space, True)
        region = next((region for region in area.regions if region.type == "WINDOW"), None)
        if region is None or space.region_3d is None or space.region_3d.view_perspective == "CAMERA":
            return
        if turned:
            space.region_3d.view_perspective = "PERSP"
            space.region_3d.view_rotation = FACE_VIEW.to_quaternion()
        with context.temp_override(area=area, region=region):
            bpy.ops.view3d.view_selected()


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw an entry in Add > Mesh."""
    self.layout.operator(LSF_OT_add_head.bl_idname, icon="USER")
