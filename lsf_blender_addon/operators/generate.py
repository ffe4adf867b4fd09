"""Generate: from the chosen head and strip to shape keys and an Action, without blocking Blender."""

import time

import bpy
import numpy as np

from .. import compat, properties, session
from ..client.jobs import State
from ..environment import NO_PYTHON, server_python
from ..errors import Refusal
from ..generation import Generation
from ..scene import actions, character, face_result, followers, meshes, prediction, shape_keys, strips

TICK = 0.1  # seconds between two looks at the job


class LSF_OT_generate(bpy.types.Operator):
    """Animate the head to the speech in the strip, with shape keys and an Action of their own. What you made stays"""

    bl_idname = "lsf.generate"
    bl_label = "Generate"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, _event) -> set[str]:
        """From the panel: start, and watch from a timer."""
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            return self._tick(context, event)
        except Exception:  # Blender ends the operator then; the panel must not wait for ever
            self._stop_timer(context)
            session.drop("Something went wrong: the details are in Blender's console (Window > Toggle System Console)")
            raise

    def _tick(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        generation = session.generation
        if generation is None:  # another file was loaded, or the add-on is going
            self._stop_timer(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            generation.cancel()
            session.redraw()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        state = generation.poll()
        if state is State.DONE and _is_edited(generation):
            generation.fraction, generation.text = 1.0, "Waiting for Object Mode"
            state = State.RUNNING
        session.redraw()
        if not state.ended:
            return {"PASS_THROUGH"}
        self._stop_timer(context)
        return self._finish(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, or another file is opened."""
        self._stop_timer(context)
        session.drop("The generation was dropped with its window")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or in background mode: wait for the result."""
        if not self._start(context):
            return {"CANCELLED"}
        while not session.generation.poll().ended:
            time.sleep(0.01)
        return self._finish(context)

    def _start(self, context: bpy.types.Context) -> bool:
        settings = context.scene.lsf
        try:
            head, scene, strip = _choose(context)
            line = strips.read_line(scene, strip)
            face = character.read(head, character.objects(context, head))
            actions.check(head.data, line)
            session.generation = Generation(session.client(), face, line, settings.temperature, settings.seed,
                                            settings.blinks)
        except Refusal as refusal:
            return self._refuse(str(refusal))
        session.say("")
        return True

    def _finish(self, context: bpy.types.Context) -> set[str]:
        """Take the result over, or say why there is none."""
        generation, session.generation = session.generation, None
        if generation.state is State.CANCELLED:
            session.say("Cancelled: nothing was changed")
            self.report({"INFO"}, session.message)
            return {"CANCELLED"}
        if generation.state is State.FAILED:
            self._refuse(generation.error)
            return {"CANCELLED"}
        try:
            text = _write(context, generation)
        except Refusal as refusal:
            self._refuse(str(refusal))
            return {"CANCELLED"}
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _refuse(self, sentence: str) -> bool:
        sentence = sentence.rstrip(".") + "."
        session.say(sentence, is_error=True)
        self.report({"ERROR"}, sentence)  # in a script, this raises RuntimeError
        return False

    def _stop_timer(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)


def why_not(context: bpy.types.Context) -> str:
    """A sentence that says why Generate is disabled; empty if it is not."""
    if session.generation is not None:
        return "A generation is at work: wait for it, or cancel it."
    try:
        _choose(context)
    except Refusal as refusal:
        return f"{refusal}."
    return ""


def _choose(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Scene, object]:
    """Head, scene of the sequencer, sound strip. Raises Refusal where something is missing; quick enough for poll."""
    if server_python() is None:
        raise Refusal(NO_PYTHON)
    head = properties.head_of(context)
    meshes.check(head)
    for obj in character.objects(context, head):
        meshes.check(obj)
    scene = compat.sequencer_scene(context)
    return head, scene, strips.find_strip(scene, context.scene.lsf.strip)


def _is_edited(generation: Generation) -> bool:
    objects = [bpy.data.objects.get(member.object) for member in generation.character.members]
    return any(obj is not None and obj.mode != "OBJECT" for obj in objects)


def _write(context: bpy.types.Context, generation: Generation) -> str:
    """Plan, then write everything at once; the text for the result line. Raises Refusal before the first change."""
    face, result = generation.character, generation.job
    head, *parts = character.find(face)
    line = strips.where_it_is_now(generation.line)
    actions.check(head.data, line)
    channels, basis = result.header["channels"], result.arrays["basis"]
    predicted = generation.prediction(line)
    motion = np.ascontiguousarray(predicted.motion)
    _rest, on_head = next(face.pieces(basis, axis=1))
    plan = shape_keys.plan(head, face.head, channels, motion, on_head, actions.driven_keys(head.data),
                           face.moving(basis))
    if not plan.animated:
        raise Refusal("The face does not move in this line: pick a strip with clear speech")
    following = followers.plan(parts, face, {*plan.names, *plan.driven}, channels, motion, basis)
    shape_keys.write(head, plan, motion)
    action = actions.write(head.data, line, plan.names, motion[:, plan.animated])
    prediction.store(action, predicted)
    for follower in following:
        followers.write(follower, motion, head)
        head.lsf.add_part(follower.part)
    if {"landmarks68", "landmark_vertices"} <= result.arrays.keys():
        face_result.remember([head, *parts], face, result.header, result.arrays)
    text = f"{len(motion)} frames, {generation.seconds:.1f} s"
    if following:
        text += f"; with {listed([follower.part.name for follower in following])}"
    if head.data.shape_keys.animation_data.action != action:
        text += ", on an NLA track"
    if overruled := actions.overruled(head.data, plan.names):
        text += f"; your own curves decide over {listed(overruled)}"
    if plan.kept:
        text += f"; {len(plan.kept)} of your own keys animated"
    if plan.driven:
        text += f"; left out, as drivers move them: {listed(plan.driven)}"
    return text + face_result.in_doubt(head)


def listed(names: list[str]) -> str:
    """The first three names, and how many there are besides."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
