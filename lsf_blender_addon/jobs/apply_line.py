"""Writes the plan of a line to the file, all of it or nothing."""

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..animation import actions, fcurves, head_motion, layers, part_drivers, refresh, rollback, shape_keys
from ..prediction import store, takes
from ..scene.access import ensure_key_animation, mesh_of
from ..scene.own_properties import face_of
from . import face_result
from .line_plan import LinePlan, listed


def apply(plan: LinePlan, as_take: bool = False) -> str:
    """Write everything that is planned. If anything raises, the file is as it was before.

    Args:
        plan: What is to be written.
        as_take: Whether the prediction, and the earlier one of the line, are kept as takes.

    Returns:
        The result line for the artist.
    """
    objects = [bpy.data.objects[name] for name in plan.objects]
    nod = face_of(objects[0]).nod
    with rollback.on_error(objects, nod.object if plan.head_motion else None, nod.bone):
        return _write(plan, objects, as_take)


def _write(plan: LinePlan, objects: list[bpy.types.Object], as_take: bool) -> str:
    """Write the plan to the character's objects, the head first; return the result line."""
    head, mesh, speech = objects[0], mesh_of(objects[0]), plan.speech
    shape_keys.write(head, plan.head)
    earlier = actions.existing(mesh, plan.line.strip, plan.line.scene)
    if as_take and earlier is not None:
        takes.add(earlier)
    action = actions.write(mesh, plan.line, speech.names, speech.motion, speech.keying, speech.offset)
    store.store(action, plan.prediction)
    if as_take:
        takes.add(action)
    refresh.list_channels(action, plan.prediction)
    for layer in plan.layers:
        layers.write(mesh, plan.line, layer.layer, layer.names, layer.motion)
    face = face_of(head)
    if plan.head_motion is not None and face.nod.object is not None:
        angles, landmarks = plan.head_motion.angles, plan.head_motion.landmarks68
        head_motion.write(face.nod.object, face.nod.bone, plan.line, angles, landmarks)
    for part in plan.parts:
        part_drivers.write(part, head)
        face.add_part(bpy.data.objects[part.object])
    if plan.face is not None:
        face_result.write(objects, plan.face)
    summary, placement = fcurves.load(action).summary(iface), _placement(mesh, action, plan)
    return plan.message.text(summary, placement) + face_result.in_doubt(head)


def _placement(mesh: bpy.types.Mesh, action: bpy.types.Action, plan: LinePlan) -> str:
    """Where the curves play, as the continuation of a sentence."""
    text = iface(", on an NLA track") if ensure_key_animation(mesh).action != action else ""
    if overruled := actions.overruled(mesh, plan.head.names):
        text += iface("; your own curves decide over {names}").format(names=listed(overruled))
    return text
