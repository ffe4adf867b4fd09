"""Export the animation of the head's shape keys for other programs."""

from typing import TYPE_CHECKING

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper

from ...animation import arkit_keys
from ...formats import curves_json, live_link
from ...formats.curves import Curves
from ...jobs.name_list import listed
from ...scene import evaluated_keys, heard_part
from ...scene.access import active_scene, mesh_of
from ..blender_types import OperatorResult
from ..head import find_head, require_head
from .poll import enabled_unless


class LSF_OT_export_curves(bpy.types.Operator, ExportHelper):
    """Export the animated values of the head's shape keys, including Actions, NLA and drivers."""

    bl_idname = "lsf.export_curves"
    bl_label = "Export Face Curves"

    format: bpy.props.EnumProperty(
        name="Format",
        items=(
            (
                "CSV",
                "Live Link Face (.csv)",
                "52 ARKit channels with timecode, as Unreal Engine and other programs import them",
            ),
            ("JSON", "JSON (.json)", "All shape keys by name, with one list of values per frame"),
        ),
    )
    first_frame: bpy.props.IntProperty(name="Start Frame", default=1)
    last_frame: bpy.props.IntProperty(name="End Frame", default=250)
    rate: bpy.props.FloatProperty(
        name="Frame Rate", description="Rows per second. 0 is the scene's frame rate", default=0.0, min=0.0, max=240.0
    )
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

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
        head, scene_rate = require_head(context), heard_part.scene_fps(active_scene(context))
        rate = self.rate or scene_rate
        if self.last_frame < self.first_frame:
            self.report({"ERROR"}, "The end frame is before the start frame: change one of them.")
            return {"CANCELLED"}
        count = int((self.last_frame - self.first_frame) / scene_rate * rate + 1e-3) + 1
        frames = self.first_frame + np.arange(count) * scene_rate / rate
        names, values = evaluated_keys.sample(head, frames)
        if self.format == "CSV":
            names, values = arkit_keys.keys_to_channels(head, names, values)
        curves, left_out = Curves(names, frames / scene_rate, values), []
        try:
            if self.format == "CSV":
                left_out = live_link.write(self.filepath, curves, rate)
            else:
                curves_json.write(self.filepath, curves, rate, self.first_frame)
        except OSError as error:
            self.report({"ERROR"}, f'"{self.filepath}" cannot be written ({error.strerror}): choose another folder.')
            return {"CANCELLED"}
        text = f"{count} rows of {len(curves.names) - len(left_out)} shape keys"
        self.report(
            {"INFO"},
            text + (f"; not exported because they are not ARKit channels: {listed(left_out)}" if left_out else ""),
        )
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Export is disabled, as a sentence; empty if it is not."""
    head = find_head(context)
    if head is None:
        return "Select the head: a mesh object."
    keys = mesh_of(head).shape_keys
    if keys is None or len(keys.key_blocks) < 2:
        return f'"{head.name}" has no shape keys yet: press Generate first.'
    return ""


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw the entries in File > Export."""
    for format, text in (("CSV", "Face Curves, Live Link Face (.csv)"), ("JSON", "Face Curves (.json)")):
        self.layout.operator(LSF_OT_export_curves.bl_idname, text=text).format = format
    for format, text in (("GLB", "Head with Speech, glTF (.glb)"), ("FBX", "Head with Speech, FBX (.fbx)")):
        self.layout.operator("lsf.export_character", text=text).format = format
