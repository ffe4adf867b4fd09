"""Import a recording of Live Link Face onto the head's shape keys."""

import os

import bpy
from bpy_extras.io_utils import ImportHelper

from .. import compat, properties, session
from ..errors import Refusal
from ..formats import live_link
from ..lines import listed
from ..scene import actions, meshes, strips


class LSF_OT_import_live_link(bpy.types.Operator, ImportHelper):
    """Animate the head's ARKit shape keys with a recording of Live Link Face, in an Action of its own"""

    bl_idname = "lsf.import_live_link"
    bl_label = "Import Face Curves"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    first_frame: bpy.props.IntProperty(name="Start Frame", description="Scene frame of the first row", default=1)
    rate: bpy.props.FloatProperty(
        name="Timecode Rate", description="Frames of the file's timecode that make a second, such as 59.94. "
        "0: what the timecode itself tells", default=0.0, min=0.0, soft_max=120.0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.first_frame = context.scene.frame_current
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            text = self._import(context)
        except Refusal as refusal:
            self.report({"ERROR"}, f"{refusal}.")
            return {"CANCELLED"}
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _import(self, context: bpy.types.Context) -> str:
        head, scene = properties.head_of(context), compat.sequencer_scene(context)
        recording = live_link.read(self.filepath, self.rate)
        motion = recording.on_frames(strips.scene_fps(scene))
        keys = {key.name.casefold(): key.name for key in head.data.shape_keys.key_blocks}
        driven = actions.driven_keys(head.data)
        columns = [k for k, name in enumerate(recording.names) if name.casefold() in keys]
        columns = [k for k in columns if keys[recording.names[k].casefold()] not in driven]
        if not columns:
            raise Refusal(f'"{head.name}" has no shape key for any column of the file that a driver does not move: '
                          "press Generate for any line first, which adds the ARKit keys")
        name = os.path.basename(self.filepath)
        line = strips.Line(name, scene.name, self.filepath, None, strips.scene_fps(scene), self.first_frame,
                           len(motion), 0.0, len(motion) / strips.scene_fps(scene), 0.0)
        actions.check(head.data, line)
        actions.write(head.data, line, [keys[recording.names[k].casefold()] for k in columns], motion[:, columns])
        missing = [recording.names[k] for k in range(len(recording.names))
                   if k not in columns and abs(motion[:, k]).max() > live_link.STILL]
        text = f"{len(motion)} frames of {name} on {len(columns)} shape keys"
        return text + (f"; no shape key, or one with a driver, for {listed(missing)}" if missing else "")


def why_not(context: bpy.types.Context) -> str:
    """A sentence that says why there is nothing to import to; empty if there is."""
    head = properties.head_of(context)
    try:
        meshes.check(head)
    except Refusal as refusal:
        return f"{refusal}."
    if head.data.shape_keys is None:
        return f'"{head.name}" has no shape keys: press Generate for any line first, which adds the ARKit keys.'
    return ""


def draw_menu(self, _context: bpy.types.Context) -> None:
    """An entry for File > Import."""
    self.layout.operator(LSF_OT_import_live_link.bl_idname, text="Face Curves, Live Link Face (.csv)")
