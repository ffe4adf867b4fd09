"""One line on one head: from Blender's data to a Generation, and from its result to shape keys and an Action."""

from dataclasses import replace

import bpy
import numpy as np

from ..animation import actions, fcurves, head_motion, layers, part_drivers, refresh, shape_keys
from ..client.jobs import Job
from ..errors import UserError
from ..prediction import blend, layer_curves, rig_drive, store, tweaks
from ..prediction.layer_curves import LayeredMotion
from ..prediction.store import Prediction
from ..rigs.drive import Drive
from ..scene import character, emotion_control, rig, strips
from ..scene.selection import enabled_layers
from . import face_result, session
from .generate import Generation
from .server_job import ServerWork


def begin(
    settings, head: bpy.types.Object, others: dict[bpy.types.Object, str], scene: bpy.types.Scene, strip, **other
) -> Generation:
    """Read head, `others` that go with it, and strip, and start. `settings` are LSF_PG_settings. Raises UserError.

    `other` settings of docs/protocol.md take the place of those in the panel.
    """
    line = strips.read_line(scene, strip)
    face = character.read(head, others)
    _check(head, line)
    span = strips.current_range(scene) if settings.only_range else None
    if span:
        _check_span(head, line, span)
    emotion, control = emotion_control.read(settings.id_data, line.first_frame, line.frames, line.fps)
    wishes = {
        **settings.take_request(settings.take),
        "layers": enabled_layers(settings, head),
        **emotion,
        **other,
    }
    return Generation(session.client(), face, line, wishes, control, span)


def disabled_reason_write(work: Generation | ServerWork) -> str:
    """What the result waits for, because the artist is at work on the head or a part of it; empty for nothing."""
    objects = [bpy.data.objects.get(member.object) for member in (work.character.members if work.character else ())]
    for obj in filter(None, objects):
        if obj.mode != "OBJECT":
            return "Waiting for Object Mode"
        keys = obj.data.shape_keys if obj.type == "MESH" else None
        if keys is not None and keys.animation_data is not None and keys.animation_data.use_tweak_mode:
            return "Waiting until you leave the NLA's tweak mode"
    return ""


def write(generation: Generation) -> str:
    """Plan, then write everything at once; the text for the result line. Raises UserError before the first change."""
    face, result = generation.character, generation.job
    head, *parts = character.find_objects(face)
    line = strips.relocated(generation.line)
    _check(head, line)
    rig.check(head, face.rig)
    earlier = actions.existing(head.data, line.strip, line.scene)
    new = generation.prediction(line)
    predicted = store.rounded(_in_its_span(new, store.load(earlier), generation.span))
    tweaked = refresh.tweaked(predicted, earlier)
    drive, layered = _layered(face, new.motion, tweaked, result)
    if drive is not None and generation.span:
        drive = rig_drive.mixed(rig_drive.load(earlier), drive, blend.share(new, generation.span))
        layered = replace(layered, motion=drive.values(tweaked))
    channels, motion, basis = layered.channels, np.ascontiguousarray(layered.motion), layered.basis
    _rest, on_head = next(face.pieces(basis, axis=1))
    plan = shape_keys.plan(
        head, face.head, channels, motion, on_head, actions.driven_keys(head.data), face.moving(basis), tweaks.REACHED
    )
    if plan.driven and not plan.animated:
        raise UserError(
            f'Drivers move the shape keys of "{head.name}" ({listed(plan.driven)}) and would overrule '
            "curves: remove the drivers, or choose Add New Keys under Face > Own Shape Keys"
        )
    if not plan.animated:
        raise UserError("The face does not move in this line: pick a strip with clear speech")
    following = part_drivers.plan(
        parts,
        face,
        {*plan.shapes, *plan.names, *plan.driven},
        channels,
        motion,
        basis,
        np.abs(result.arrays["basis"]).max(initial=0.0),
    )
    shape_keys.write(head, plan, motion)
    taken = layers.owned(head.data.shape_keys)
    speech = [k for k in layered.columns(plan.animated) if channels[k] not in taken]
    keying = refresh.keying(rig_drive.on_keys(drive, predicted, tweaked), speech, earlier)
    action = actions.write(
        head.data, line, [channels[k] for k in speech], motion[:, speech], keying, refresh.offset(earlier)
    )
    store.store(action, predicted)
    refresh.list_channels(action, predicted)
    rig_drive.store(action, drive)
    if generation.span is None:  # layers of a part of a line would not fit the rest of it
        _write_layers(head, line, layered, plan.animated, result.arrays)
    for follower in following:
        part_drivers.write(follower, motion, head)
        head.lsf.add_part(follower.part)
    if {"landmarks68", "landmark_vertices"} <= result.arrays.keys():
        face_result.remember([head, *parts], face, result.header, result.arrays)
    frames = "frames {} to {} anew".format(*generation.span) if generation.span else f"{len(motion)} frames"
    own_keys = (face.rig.mapping.name or "own") if drive is not None else ""
    return f"{frames}, {generation.seconds:.1f} s; {_told(head, action, plan, own_keys, following)}"


def _layered(
    face: character.Character, motion: np.ndarray, tweaked: np.ndarray, result: Job
) -> tuple[Drive | None, LayeredMotion]:
    """The keys with their values and layers, and the drive that makes them where the head has keys of its own."""
    channels, basis, arrays = result.header["channels"], result.arrays["basis"], result.arrays
    if face.rig is None:
        return None, layer_curves.layered(channels, tweaked, basis, arrays)
    return rig_drive.layered(face.rig, channels, motion, tweaked, basis, arrays)


def _write_layers(
    head: bpy.types.Object,
    line: strips.Line,
    layered: LayeredMotion,
    animated: list[int],
    arrays: dict[str, np.ndarray],
) -> None:
    """Write blinks, gaze and nods, as far as they are wanted: from the `animated` channels, and the result's arrays."""
    for layer in layered.layers:
        columns = layered.columns(animated, layer)
        layers.write(head.data, line, layer, [layered.channels[k] for k in columns], layered.motion[:, columns])
    nod = head.lsf.nod
    if "head" in arrays and nod.object is not None:
        head_motion.write(nod.object, nod.bone, line, arrays["head"][: line.frames], arrays["landmarks68"])


def _told(
    head: bpy.types.Object,
    action: bpy.types.Action,
    plan: shape_keys.KeyPlan,
    own_keys: str,
    following: list[part_drivers.Follower],
) -> str:
    """What the artist should know of what was written; `own_keys` names the keys of a rig that it drives."""
    text = fcurves.load(action).summary()
    if following:
        text += f"; with {listed([follower.part.name for follower in following])}"
    if head.data.shape_keys.animation_data.action != action:
        text += ", on an NLA track"
    if overruled := actions.overruled(head.data, plan.names):
        text += f"; your own curves decide over {listed(overruled)}"
    if own_keys:
        text += f"; on your {own_keys} keys"
    elif plan.kept:
        text += f"; {len(plan.kept)} of your own keys animated"
    if plan.driven:
        text += f"; left out, as drivers move them: {listed(plan.driven)}"
    return text + face_result.in_doubt(head)


def _check_span(head: bpy.types.Object, line: strips.Line, span: tuple[int, int]) -> None:
    """Raise UserError if the line is not heard in these frames, or was not generated yet."""
    if span[1] < line.first_frame or span[0] >= line.first_frame + line.frames:
        raise UserError(
            f'The strip "{line.strip}" is not heard in frames {span[0]} to {span[1]}: set another preview '
            "range, or turn off Only Current Range"
        )
    if store.load(actions.existing(head.data, line.strip, line.scene)) is None:
        raise UserError(f'"{line.strip}" was not generated for "{head.name}" yet: turn off Only Current Range')


def _in_its_span(new: Prediction, earlier: Prediction | None, span: tuple[int, int] | None) -> Prediction:
    """The new prediction; where only a span of the line is wanted, inside the earlier one. Raises UserError."""
    if span is None:
        return new
    if earlier is None or not blend.fits(earlier, new):
        raise UserError(
            f'The strip "{new.strip}" was trimmed since it was generated, or the frame rate was changed: '
            "turn off Only Current Range"
        )
    return blend.mixed(earlier, new, blend.share(new, span))


def _check(head: bpy.types.Object, line: strips.Line) -> None:
    """Raise UserError if the head cannot take this line now."""
    actions.check(head.data, line)
    head_motion.check(head.lsf.nod.object, head.lsf.nod.bone)


def listed(names: list[str]) -> str:
    """The first three names, and how many there are besides."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
