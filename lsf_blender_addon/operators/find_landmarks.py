"""Find Landmarks: let the server look for the face, without blocking Blender."""

import time

import bpy

from .. import properties, session
from ..client.jobs import State
from ..environment import NO_PYTHON, server_python
from ..errors import Refusal
from ..face_finding import FaceFinding
from ..scene import character, face_result, meshes

TICK = 0.1  # seconds between two looks at the job


class LSF_OT_find_landmarks(bpy.types.Operator):
    """Find the face on the mesh, its landmarks and its parts. Generate does this by itself; here you see the result
    before, and can correct it"""

    bl_idname = "lsf.find_landmarks"
    bl_label = "Find Landmarks"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, _event) -> set[str]:
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        finding = session.finding
        if finding is None:  # another file was loaded, or the add-on is going
            self._stop_timer(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            finding.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        session.redraw()
        if not finding.poll().ended:
            return {"PASS_THROUGH"}
        self._stop_timer(context)
        return self._finish()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, or another file is opened."""
        self._stop_timer(context)
        session.drop("The search was dropped with its window")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or in background mode: wait for the result."""
        if not self._start(context):
            return {"CANCELLED"}
        while not session.finding.poll().ended:
            time.sleep(0.01)
        return self._finish()

    def _start(self, context: bpy.types.Context) -> bool:
        head = properties.head_of(context)
        try:
            face = character.read(head, character.objects(context, head))
            session.finding = FaceFinding(session.client(), face)
        except Refusal as refusal:
            return self._refuse(str(refusal))
        session.say("")
        return True

    def _finish(self) -> set[str]:
        finding, session.finding = session.finding, None
        if finding.state is State.CANCELLED:
            session.say("Cancelled: nothing was changed")
            return {"CANCELLED"}
        try:
            if finding.state is State.FAILED:
                raise Refusal(finding.error)
            objects = character.find(finding.character)
            text = face_result.remember(objects, finding.character, finding.job.header, finding.job.arrays)
        except Refusal as refusal:
            self._refuse(str(refusal))
            return {"CANCELLED"}
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _refuse(self, sentence: str) -> bool:
        sentence = sentence.rstrip(".") + "."
        session.say(sentence, is_error=True)
        self.report({"ERROR"}, sentence)
        return False

    def _stop_timer(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)


def why_not(context: bpy.types.Context) -> str:
    """A sentence that says why the face cannot be looked for now; empty if it can."""
    if session.batch is not None or session.finding is not None:
        return "The server is at work: wait for it, or cancel it."
    if server_python() is None:
        return f"{NO_PYTHON}."
    head = properties.head_of(context)
    try:
        meshes.check(head)
        for obj in character.objects(context, head):
            meshes.check(obj)
    except Refusal as refusal:
        return f"{refusal}."
    return ""
