"""Import a recording of Live Link Face onto the head's shape keys."""

import os

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper

from ... import compat
from ...animation import actions, arkit_keys, key_reduction
from ...animation.fcurves import Keying
from ...errors import UserError
from ...formats import live_link
from ...jobs import session
from ...jobs.lines import listed
from ...scene import meshes, strips
from ...scene.selection import head_of
from ...scene.snapshots import Line
from .poll import enabled_unless


class LSF_OT_import_live_link(bpy.types.Operator, ImportHelper):
    """Animate the head's ARKit shape keys with a recording of Live Link Face, in an Action of its own"""

    bl_idname = "lsf.import_live_link"
    bl_label = "Import Face Curves"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    first_frame: bpy.props.IntProperty(name="Start Frame", description="Scene frame of the first row", default=1)
    rate: bpy.props.FloatProperty(
        name="Timecode Rate",
        description="Frames of the file's timecode that make a second, such as 59.94. "
        "0: what the timecode itself tells",
        default=0.0,
        min=0.0,
        soft_max=120.0,
    )
    every_frame: bpy.props.BoolProperty(
        name="Key on Every Frame",
        description="Otherwise only as many keys as it takes to keep the motion to the eye",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.first_frame = context.scene.frame_current
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            text = self._import(context)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _import(self, context: bpy.types.Context) -> str:
        head, scene = head_of(context), compat.sequencer_scene(context)
        recording = live_link.read(self.filepath, self.rate)
        fps, name = strips.scene_fps(scene), os.path.basename(self.filepath)
        motion = recording.on_frames(fps)
        keys, values, unused = arkit_keys.onto_keys(head, recording.names, motion)
        if not keys:
            raise UserError(
                f'"{head.name}" has no shape key for any column of the file that a driver does not move: '
                "press Generate for any line first, which adds the ARKit keys"
            )
        line = Line(
            name, scene.name, self.filepath, None, fps, self.first_frame, len(values), 0.0, len(values) / fps, 0.0
        )
        actions.check(head.data, line)
        bound = None if self.every_frame else key_reduction.Bound()
        actions.write(head.data, line, keys, values, Keying(bound, np.zeros((len(keys), 0, 3), np.float32), fps))
        moving = np.abs(motion).max(0) > live_link.STILL
        missing = [
            channel for channel, moves in zip(recording.names, moving, strict=True) if moves and channel in unused
        ]
        text = f"{len(values)} frames of {name} on {len(keys)} shape keys"
        return text + (f"; no shape key, or one with a driver, for {listed(missing)}" if missing else "")


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why there is nothing to import to; empty if there is."""
    head = head_of(context)
    try:
        meshes.check(head)
    except UserError as error:
        return f"{error}."
    if head.data.shape_keys is None:
        return f'"{head.name}" has no shape keys: press Generate for any line first, which adds the ARKit keys.'
    return ""


def draw_menu(self, _context: bpy.types.Context) -> None:
    """An entry for File > Import."""
    self.layout.operator(LSF_OT_import_live_link.bl_idname, text="Face Curves, Live Link Face (.csv)")
