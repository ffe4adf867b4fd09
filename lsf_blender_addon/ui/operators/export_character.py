"""Export the head with its speech as glTF or FBX, by Blender's own exporters with the settings that keep the speech."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ExportHelper

from ...errors import UserError
from ...jobs import export_character, session
from ...jobs.name_list import listed
from ...scene import evaluated_keys
from ...scene.access import active_scene, mesh_of
from ..blender_types import OperatorResult
from ..head import require_head
from . import export_curves
from .poll import enabled_unless


class LSF_OT_export_character(bpy.types.Operator, ExportHelper):
    """Export the head and its parts with their shape keys and everything that moves them, for other 3D programs.

    It uses Blender's own exporter, with the settings and frames that keep all of the speech.
    """

    bl_idname = "lsf.export_character"
    bl_label = "Export Head"

    format: bpy.props.EnumProperty(
        name="Format",
        items=(
            ("GLB", "glTF (.glb)", "For Unreal Engine, Godot, the web and other programs"),
            ("FBX", "FBX (.fbx)", "For Unity, Unreal Engine, Maya and other programs"),
        ),
    )
    first_frame: bpy.props.IntProperty(name="Start Frame", default=1, min=export_character.FIRST_FRAME)
    last_frame: bpy.props.IntProperty(name="End Frame", default=250, min=export_character.FIRST_FRAME)
    with_rig: bpy.props.BoolProperty(
        name="Armature and Parents",
        description="Also export the armatures that deform the head and its parts, and the objects that carry them",
        default=True,
    )
    with_selection: bpy.props.BoolProperty(
        name="Selected Objects", description="Also export the selected objects, such as hair and clothes", default=False
    )
    filter_glob: bpy.props.StringProperty(default="*.glb;*.fbx", options={"HIDDEN"})

    @property
    def filename_ext(self) -> str:
        return f".{self.format.lower()}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    if TYPE_CHECKING:
        filepath: str  # a property of ExportHelper

    def invoke(  # type: ignore[override]  # ExportHelper and Operator return different types in the stubs
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> OperatorResult:
        self.first_frame, self.last_frame = evaluated_keys.animated_range(
            mesh_of(require_head(context)), active_scene(context)
        )
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        if self.last_frame < self.first_frame:
            self.report({"ERROR"}, "The end frame is before the start frame: change one of them.")
            return {"CANCELLED"}
        try:
            done = export_character.write(
                context,
                require_head(context),
                self.filepath,
                self.format,
                (self.first_frame, self.last_frame),
                self.with_rig,
                self.with_selection,
            )
        except UserError as error:
            session.say(f"{error}.", is_error=True)
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        text = iface("{names}: frames {first} to {last} exported").format(
            first=done.first, last=done.last, names=listed(done.objects)
        )
        if done.left_out:
            text += iface("; left out, as they are hidden or cannot be selected: {names}").format(
                names=listed(done.left_out)
            )
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why the export is disabled, as a sentence; empty if it is not."""
    if context.mode != "OBJECT":
        return "Go to Object Mode first."
    return export_curves.disabled_reason(context)
