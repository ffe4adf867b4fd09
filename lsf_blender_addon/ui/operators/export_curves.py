"""Export what the head's shape keys do, for other tools."""

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper

from ...animation import arkit_keys
from ...formats import curves_json, live_link
from ...formats.curves import Curves
from ...jobs.lines import listed
from ...scene import evaluated_keys, strips
from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_export_curves(bpy.types.Operator, ExportHelper):
    """Write the values of the head's shape keys to a file, as they play: Actions, NLA and drivers together"""

    bl_idname = "lsf.export_curves"
    bl_label = "Export Face Curves"

    format: bpy.props.EnumProperty(
        name="Format",
        items=(
            ("CSV", "Live Link Face (.csv)", "52 ARKit shapes with timecode, as Unreal and others import it"),
            ("JSON", "JSON (.json)", "All shape keys by name, one list of values a frame"),
        ),
    )
    first_frame: bpy.props.IntProperty(name="Start Frame", default=1)
    last_frame: bpy.props.IntProperty(name="End Frame", default=250)
    rate: bpy.props.FloatProperty(
        name="Frame Rate", description="Rows a second. 0: the scene's frame rate", default=0.0, min=0.0, max=240.0
    )
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    @property
    def filename_ext(self) -> str:
        return f".{self.format.lower()}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.first_frame, self.last_frame = evaluated_keys.animated_range(head_of(context).data, context.scene)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        head, scene_rate = head_of(context), strips.scene_fps(context.scene)
        rate = self.rate or scene_rate
        count = int((self.last_frame - self.first_frame) / scene_rate * rate + 1e-3) + 1
        if count < 1:
            self.report({"ERROR"}, "The end frame lies before the start frame: change one of them.")
            return {"CANCELLED"}
        frames = self.first_frame + np.arange(count) * scene_rate / rate
        names, values = evaluated_keys.sample(head, frames)
        if self.format == "CSV":
            names, values = arkit_keys.as_channels(head, names, values)
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
        self.report({"INFO"}, text + (f"; left out, as they are not ARKit's: {listed(left_out)}" if left_out else ""))
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why there is nothing to export; empty if there is."""
    head = head_of(context)
    if head is None or head.type != "MESH":
        return "Select the head: a mesh object."
    if head.data.shape_keys is None or len(head.data.shape_keys.key_blocks) < 2:
        return f'"{head.name}" has no shape keys yet: press Generate first.'
    return ""


def draw_menu(self, _context: bpy.types.Context) -> None:
    """Entries for File > Export."""
    for format, text in (("CSV", "Face Curves, Live Link Face (.csv)"), ("JSON", "Face Curves (.json)")):
        self.layout.operator(LSF_OT_export_curves.bl_idname, text=text).format = format
