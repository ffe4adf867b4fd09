"""Playblast: renders the line with its sound to a file next to the .blend file."""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...errors import UserError
from ...jobs import line_list, session
from ...preview import playblast
from ...scene.access import active_scene
from ..blender_types import OperatorResult
from ..head import find_head, usable_head
from .poll import enabled_unless

_path = ""  # of the video that is rendered


class LSF_OT_playblast(bpy.types.Operator):
    """Render the line quickly, with sound, to an .mp4 file next to the .blend file.

    The scene does not change, and no file is overwritten.
    """

    bl_idname = "lsf.playblast"
    bl_label = "Playblast"

    close_up: bpy.props.BoolProperty(
        name="Close-Up", description="Use a camera in front of the face instead of the scene camera", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Render in the background, with Blender's own progress bar and Esc."""
        return self._render(context, "INVOKE_DEFAULT")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Render and wait for the end, for scripts."""
        return self._render(context, "EXEC_DEFAULT")

    def _render(self, context: bpy.types.Context, call: str) -> OperatorResult:
        """Render a copy of the scene; `call` is the execution context of Blender's render operator."""
        global _path
        try:
            head = usable_head(context)
            line = line_list.frames_to_watch(context, head)
            path = playblast.output_path(line.name)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        view = context.preferences.view
        display, view.render_display_type = view.render_display_type, "NONE"
        for handlers, ended in _HANDLERS:
            handlers.append(ended)
        session.say("Rendering the playblast", is_note=True)
        _path = path
        try:
            copy = playblast.create_scene(active_scene(context), head, (line.first, line.last), path, self.close_up)
            bpy.ops.render.render(call, animation=True, scene=copy.name)
        except RuntimeError as error:  # the render has not started
            _clean_up()
            session.say(f"The playblast could not be rendered: {error}", is_error=True)
            self.report({"ERROR"}, session.message)
            return {"CANCELLED"}
        except Exception:  # the scene was not finished
            _clean_up()
            raise
        finally:
            view.render_display_type = display
        if call == "EXEC_DEFAULT":
            _clean_up()
            self.report({"INFO"}, session.message)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """Return why Playblast is disabled, as a sentence; empty if it is not."""
    if find_head(context) is None:
        return "Select the head: a mesh object."
    if not bpy.data.filepath:
        return "Save the file first: the playblast is saved next to it."
    if bpy.app.is_job_running("RENDER"):
        return "A render is running: wait for its end."
    return ""


def _completed(scene: bpy.types.Scene, *_arguments: object) -> None:
    """Handle the end of a render."""
    _ended(scene, done=True)


def _cancelled(scene: bpy.types.Scene, *_arguments: object) -> None:
    """Handle the cancellation of a render."""
    _ended(scene, done=False)


def _ended(scene: bpy.types.Scene, done: bool) -> None:
    """Report how the playblast ended, and schedule the removal of its scene. Other renders are ignored."""
    path = scene.get(playblast.MARK)
    if path != _path or not playblast.is_playblast(scene):  # a mark in a file of others names no file to remove
        return
    if done:
        session.say(iface("The playblast was saved as {path}").format(path=path))
    else:
        session.say("Cancelled: no playblast was saved", is_note=True)
        Path(path).unlink(missing_ok=True)
    if not bpy.app.timers.is_registered(_clean_up):
        bpy.app.timers.register(_clean_up, first_interval=0.1)  # the renderer still uses the scene


_HANDLERS = ((bpy.app.handlers.render_complete, _completed), (bpy.app.handlers.render_cancel, _cancelled))


def _clean_up() -> float | None:
    """Remove the copy of the scene as soon as no render uses it; a function for bpy.app.timers."""
    if bpy.app.is_job_running("RENDER"):
        return 0.1
    for handlers, ended in _HANDLERS:
        if ended in handlers:
            handlers.remove(ended)
    for copy in playblast.remaining_scenes():
        playblast.remove_scene(copy)
    return None
