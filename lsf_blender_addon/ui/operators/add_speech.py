"""Add a line of speech to the sequencer, from the LSF tab."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface
from bpy_extras.io_utils import ImportHelper

from ...errors import UserError
from ...jobs import session
from ...scene import new_strip
from ...scene.access import active_scene
from ...scene.own_properties import settings_of
from ..blender_types import OperatorResult


class LSF_OT_add_speech(bpy.types.Operator, ImportHelper):  # type: ignore[misc]  # stubs: two types of `invoke`
    """Add sound files at the playhead, as strips in the sequencer.

    If the scene has no sound yet, playback is set to follow the sound.
    """

    bl_idname = "lsf.add_speech"
    bl_label = "Add Speech"
    bl_options = {"REGISTER", "UNDO"}

    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_sound: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})

    if TYPE_CHECKING:
        filepath: str  # a property of ImportHelper

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        names = sorted(file.name for file in self.files if file.name)
        paths = [str(Path(self.directory) / name) for name in names] or [bpy.path.abspath(self.filepath)]
        try:
            text = add(context, paths)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        self.report({"INFO"}, text)
        return {"FINISHED"}


def add(context: bpy.types.Context, paths: list[str]) -> str:
    """Add sounds to the sequencer, choose the first of them as the line, and return what is reported.

    Raises:
        UserError: A file cannot be read. Nothing was changed.
    """
    scene, settings = active_scene(context), settings_of(context.scene)
    strips = new_strip.add(context, paths)
    if settings.strip or settings.line:  # else the active strip is used
        settings.strip = strips[0].name
    texts = [
        iface("{strip}: frames {first} to {last}").format(
            strip=strip.name, first=new_strip.first_frame(strip), last=new_strip.last_frame(strip)
        )
        for strip in strips
    ]
    if new_strip.follow_sound(scene, len(strips)):
        texts.append(iface("playback follows the sound now"))
    text = "; ".join(texts)
    session.say(text)
    return text
