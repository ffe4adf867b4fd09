"""Import a Live Link Face recording onto the head's shape keys."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper

from ... import compat
from ...animation import actions, arkit_keys, lines
from ...errors import UserError
from ...formats import live_link
from ...jobs import session
from ...jobs.line_plan import listed
from ...scene import strips
from ...scene.access import active_scene, mesh_of
from ...scene.snapshots import Source
from ..blender_types import OperatorResult
from ..head import require_head, usable_head
from .poll import enabled_unless


class LSF_OT_import_live_link(bpy.types.Operator, ImportHelper):
    """Animate the head's ARKit shape keys with a Live Link Face recording, in a separate Action."""

    bl_idname = "lsf.import_live_link"
    bl_label = "Import Face Curves"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    first_frame: bpy.props.IntProperty(name="Start Frame", description="Scene frame of the first row", default=1)
    rate: bpy.props.FloatProperty(
        name="Timecode Rate",
        description="Frames per second of the file's timecode, such as 59.94. 0 reads the rate from the timecode",
        default=0.0,
        min=0.0,
        soft_max=120.0,
    )
    every_frame: bpy.props.BoolProperty(
        name="Key on Every Frame",
        description="Insert a key on every frame. Otherwise keys without a visible effect are left out",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def invoke(  # type: ignore[override]  # ImportHelper and Operator return different types in the stubs
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> OperatorResult:
        self.first_frame = active_scene(context).frame_current
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        try:
            text = self._import(context)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _import(self, context: bpy.types.Context) -> str:
        """Write the recording into an Action, and return what is reported. Raises UserError if it does not fit."""
        head, scene = require_head(context), compat.sequencer_scene(context)
        recording = live_link.read(self.filepath, self.rate)
        fps, name = strips.scene_fps(scene), Path(self.filepath).name
        motion = recording.resampled(fps)
        keys, values, unused = arkit_keys.channels_to_keys(head, recording.names, motion)
        if not keys:
            raise UserError(
                f'"{head.name}" has no shape key without a driver for any column of the file: '
                "press Generate for any line first to add the ARKit shape keys"
            )
        actions.check(mesh_of(head))
        source = Source("", name, scene.name, name, fps, self.first_frame, len(values), 0.0, float(len(values)))
        action, record = lines.put_recording(mesh_of(head), head.name, source, keys, values)
        if self.every_frame:
            record.tweaks.density = 1.0
        lines.write(mesh_of(head), action, record)
        moving = np.abs(motion).max(0) > live_link.STILL
        missing = [
            channel for channel, moves in zip(recording.names, moving, strict=True) if moves and channel in unused
        ]
        text = f"{len(values)} frames of {name} on {len(keys)} shape keys"
        return text + (
            f"; not imported because the shape key is missing or has a driver: {listed(missing)}" if missing else ""
        )


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Import is disabled, as a sentence; empty if it is not."""
    try:
        head = usable_head(context)
    except UserError as error:
        return f"{error}."
    if mesh_of(head).shape_keys is None:
        return f'"{head.name}" has no shape keys: press Generate for any line first to add the ARKit shape keys.'
    return ""


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Draw an entry in File > Import."""
    self.layout.operator(LSF_OT_import_live_link.bl_idname, text="Face Curves, Live Link Face (.csv)")
