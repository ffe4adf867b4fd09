"""Playblast: a film of the line, with its sound, beside the .blend."""

import os

import bpy

from ...errors import UserError
from ...jobs import session
from ...preview import frame_range, playblast
from ...scene import meshes
from ...scene.selection import head_of
from .poll import enabled_unless


class LSF_OT_playblast(bpy.types.Operator):
    """Render the line to an .mp4 beside the .blend, fast and with sound. Nothing in the scene is changed, and no file
    is overwritten
    """

    bl_idname = "lsf.playblast"
    bl_label = "Playblast"

    close_up: bpy.props.BoolProperty(
        name="Close-Up", description="A camera before the face, instead of the scene's", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def invoke(self, context: bpy.types.Context, _event) -> set[str]:
        """From the panel: render in the background, with Blender's own progress and Esc."""
        return self._render(context, "INVOKE_DEFAULT")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: wait for the film."""
        return self._render(context, "EXEC_DEFAULT")

    def _render(self, context: bpy.types.Context, way: str) -> set[str]:
        head = head_of(context)
        try:
            meshes.check(head)
            line = frame_range.find_frame_range(context, head)
            path = playblast.output_path(line.name)
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        view = context.preferences.view
        display, view.render_display_type = view.render_display_type, "NONE"
        for handlers, ended in _HANDLERS:
            handlers.append(ended)
        session.say("Rendering the film")
        try:
            film = playblast.create_scene(context.scene, head, (line.first, line.last), path, self.close_up)
            bpy.ops.render.render(way, animation=True, scene=film.name)
        except RuntimeError as error:  # nothing was begun
            _clean_up()
            session.say(f"The film could not be rendered: {error}", is_error=True)
            self.report({"ERROR"}, session.message)
            return {"CANCELLED"}
        finally:
            view.render_display_type = display
        if way == "EXEC_DEFAULT":
            _clean_up()
            self.report({"INFO"}, session.message)
        return {"FINISHED"}


def disabled_reason(context: bpy.types.Context) -> str:
    """A sentence that says why no film can be made now; empty if it can."""
    head = head_of(context)
    if head is None or head.type != "MESH":
        return "Select the head: a mesh object."
    if not bpy.data.filepath:
        return "Save the file first: the film is put beside it."
    if bpy.app.is_job_running("RENDER"):
        return "Something is being rendered: wait for it."
    return ""


def _completed(scene: bpy.types.Scene, *_arguments) -> None:
    _ended(scene, done=True)


def _cancelled(scene: bpy.types.Scene, *_arguments) -> None:
    _ended(scene, done=False)


def _ended(scene: bpy.types.Scene, done: bool) -> None:
    path = scene.get(playblast.MARK)
    if path is None:
        return
    if done:
        session.say(f"The film is in {path}")
    else:
        session.say("Cancelled: no film was made")
        if os.path.isfile(path):
            os.remove(path)
    if not bpy.app.timers.is_registered(_clean_up):
        bpy.app.timers.register(_clean_up, first_interval=0.1)  # the renderer still holds the scene


_HANDLERS = ((bpy.app.handlers.render_complete, _completed), (bpy.app.handlers.render_cancel, _cancelled))


def _clean_up() -> float | None:
    """Remove the copy of the scene, as soon as nobody holds it."""
    if bpy.app.is_job_running("RENDER"):
        return 0.1
    for handlers, ended in _HANDLERS:
        if ended in handlers:
            handlers.remove(ended)
    for film in playblast.remaining_scenes():
        playblast.remove_scene(film)
    return None
