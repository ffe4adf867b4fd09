"""Writes the plan of a line to the file, all of it or nothing."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..animation import (
    actions,
    bone_actions,
    head_motion,
    line_sounds,
    lines,
    override_settings,
    part_drivers,
    rollback,
    shape_keys,
)
from ..prediction import takes
from ..scene import strip_identity
from ..scene.access import ensure_key_animation, mesh_of
from ..scene.own_properties import face_of
from ..scene.shape_keys import renamed
from ..scene.snapshots import Line
from ..scene.strip_identity import State
from . import face_result, line_list, look_at_result
from .line_plan import LinePlan
from .name_list import listed


def apply(plan: LinePlan, as_take: bool = False) -> str:
    """Write everything that is planned. If anything raises, the file is as it was before.

    Args:
        plan: What is to be written.
        as_take: Whether the prediction, and the earlier one of the line, are kept as takes.

    Returns:
        The result line for the artist.
    """
    objects = [bpy.data.objects[name] for name in plan.objects]
    override_settings.own(objects[0])
    nod = face_of(objects[0]).nod
    with rollback.on_error(objects, nod.object if plan.head_motion else None, nod.bone):
        text = _write(plan, objects, as_take)
        return text + look_at_result.look(objects[0], plan) + face_result.in_doubt(objects[0], plan.face)


def _write(plan: LinePlan, objects: list[bpy.types.Object], as_take: bool) -> str:
    """Write the plan to the character's objects, the head first; return the result line."""
    head, mesh = objects[0], mesh_of(objects[0])
    shape_keys.write(head, plan.head)
    earlier = actions.existing(mesh)
    if as_take and earlier is not None:
        takes.add(earlier, plan.line.id)
    action, record = lines.put(mesh, head.name, plan.line.source, plan.prediction)
    if as_take:
        takes.add(action, record.uid)
    if plan.sounds is not None:
        line_sounds.put(record, plan.sounds, plan.line.start, plan.transcript)
    lines.write(mesh, action, record)
    face = face_of(head)
    if plan.head_motion is not None and face.nod.object is not None:
        angles, landmarks = plan.head_motion.angles, plan.head_motion.landmarks68
        head_motion.write(face.nod.object, face.nod.bone, plan.line, angles, landmarks)
    for part in plan.parts:
        part_drivers.write(part, head)
        part_drivers.play_along(bpy.data.objects[part.object], head)
        face.add_part(bpy.data.objects[part.object])
    if plan.face is not None:
        face_result.write(objects, plan.face)
    placement = _placement(mesh, action, plan) + _shared_frames(action, plan.line)
    text = plan.message.text(lines.summary(action, record, iface), placement)
    note = plan.sounds.note.rstrip(".") if plan.sounds is not None else ""
    return f"{text}; {iface(note)}" if note else text


def _placement(mesh: bpy.types.Mesh, action: bpy.types.Action, plan: LinePlan) -> str:
    """Where the curves play, as the continuation of a sentence."""
    now = renamed(mesh)
    text = iface(", on an NLA track") if ensure_key_animation(mesh).action != action else ""
    if overruled := actions.overruled(mesh, [now.get(name, name) for name in plan.head.names]):
        text += iface("; your own curves decide over {names}").format(names=listed(overruled))
    if overruled := bone_actions.overruled(bpy.data.objects[plan.objects[0]]):
        text += iface(
            "; your own Action decides over the bones {names}: push it down to the NLA and press Generate again"
        ).format(names=listed(overruled))
    text += line_list.locked_note(action)
    record = lines.find(action, plan.line.id)
    if record is not None and not actions.plays(mesh, action, lines.window_of(record)):
        text += iface("; your strip in the NLA does not reach it: it does not play")
    return text


def _shared_frames(action: bpy.types.Action, line: Line) -> str:
    """Which other lines of the head are heard at the same frames, as the continuation of a sentence."""
    record = lines.find(action, line.id)
    others = lines.overlapping(action, record) if record else []
    recordings = [other.name for other in others if other.kind == "RECORDING"]
    speech = [other for other in others if other.kind == "SPEECH"]
    states = strip_identity.states([lines.source_of(other) for other in speech])
    is_gone = [status.state is State.GONE for status in states]
    gone = [other.name for other, lost in zip(speech, is_gone, strict=True) if lost]
    present = [other.name for other, lost in zip(speech, is_gone, strict=True) if not lost]
    text = ""
    if recordings:
        text += iface("; {names} is a recording and decides at its frames").format(names=listed(recordings))
    if present:
        text += iface("; blended with {names}, which the head speaks at the same time").format(names=listed(present))
    if gone:
        text += iface("; the strip of {names} is gone, but its speech still plays: remove it under Lines").format(
            names=listed(gone)
        )
    return text
