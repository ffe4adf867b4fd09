"""Add a head and a line of speech, to try the add-on with."""

import bpy

from ...errors import UserError
from ...scene import new_strip, talking_head
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult
from . import add_head, add_speech
from .poll import enabled_unless


class LSF_OT_demo_line(bpy.types.Operator):
    """Add the talking head and a spoken line at the playhead, ready for Generate.

    If a head is chosen, or the scene has a talking head, only the line is added.
    """

    bl_idname = "lsf.demo_line"
    bl_label = "Demo Line"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, "" if context.mode == "OBJECT" else "Go to Object Mode first.")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Add both, and turn the viewport to the face."""
        return self._add(context, shown=True)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        return self._add(context, shown=False)

    def _add(self, context: bpy.types.Context, shown: bool) -> OperatorResult:
        """Add the line, and a head if there is none.

        Args:
            context: Tells the scene.
            shown: Whether to turn the viewport to the face of a head that is added.
        """
        scene = active_scene(context)
        try:
            text = add_speech.add(context, [str(new_strip.DEMO_LINE)])
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        if settings_of(scene).head is None and not talking_head.is_in(scene):
            head = add_head.add(context)
            if shown:
                add_head.show(context, head, turned=True)
        self.report({"INFO"}, text)
        return {"FINISHED"}
