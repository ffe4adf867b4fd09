"""The head motion layer: an empty that rotates, and a constraint that adds its rotation to a bone or an object.

The constraint works on top of the artist's own pose, whatever animates that, and its Influence is the layer's strength.
No key of the artist is changed, and without the constraint the pose is as it was.
"""

import json
import zlib
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Euler, Matrix
from numpy.typing import NDArray

from .. import compat
from ..errors import UserError
from ..prediction import store
from ..scene import stored
from ..scene.access import active_scene
from ..scene.head_motion import MARK, find_constraint, matrix_without_head_motion
from ..scene.snapshots import Line
from .line_curves import ease_weight

NAME = "LSF head motion"  # of the constraint
TURNS = "lsf_turns"  # custom property on the empty's Action: {uid of the line: its angles, see prediction.store.packed}
LINES = "lsf_lines"  # custom property on the empty's Action: JSON, where each line was written last, see _LineKeys
EASE = 0.5  # seconds in which the head comes from rest before a line, and goes back to rest after it
LEVEL = 1e-4  # radians: a curve whose values differ by less from frame to frame is level there
RIGHT_EYE, LEFT_EYE, NOSE_BRIDGE, CHIN = 36, 45, 27, 8  # of the 68 landmarks


def check(target: bpy.types.Object | None, bone: str) -> None:
    """Check that a target can take the head motion.

    Args:
        target: An armature or another object; None, for no head motion, is fine.
        bone: Name of the armature's bone.

    Raises:
        UserError: The target is linked from another file, or has no such bone.
    """
    if target is None:
        return
    if target.library is not None:
        raise UserError(f'"{target.name}" is linked from another file: make a library override of it first')
    if target.type == "ARMATURE" and bone not in target.pose.bones:
        raise UserError(
            f'Pick the head bone of "{target.name}" that shall nod'
            if not bone
            else f'"{target.name}" has no bone "{bone}": pick another one'
        )


def write(
    target: bpy.types.Object,
    bone: str,
    line: Line,
    motion: NDArray[np.floating],
    landmarks68: NDArray[np.floating],
) -> None:
    """Write the head motion of a line, which comes from rest and goes back to rest; keys of other lines stay.

    Where other lines are heard at the same frames, this one decides, and eases from and to their motion. If the line
    has moved since it was written, its earlier keys are removed, unless they were changed meanwhile.

    Args:
        target: An armature, or another object, which then rotates itself.
        bone: Name of the armature's bone.
        line: The line; its first frame is that of the first row.
        motion: Euler XYZ angles (F, 3) in radians, for a face that looks along -Y.
        landmarks68: Landmarks (68, 3) of the face in world axes, which say how it stands.
    """
    rotations = _local_rotations(target, bone, motion, landmarks68)
    data = _animation_data(target, bone)
    action = data.action
    if action is None:
        action = bpy.data.actions.new(f"{NAME} · {_owner(target, bone).name}")
        compat.object_fcurves(action)
        compat.assign_object_action(data, action)
    fcurves = compat.object_fcurves(action)
    curves = [
        fcurves.find("rotation_euler", index=axis) or fcurves.new("rotation_euler", index=axis) for axis in range(3)
    ]
    written = _load_lines(action)
    untouched = _untouched(curves, written)
    earlier = written.pop(line.id, None)  # the line that was written last decides
    ease = max(1, round(EASE * line.fps))
    written[line.id] = _LineKeys(line.first_frame - ease, len(rotations) + 2 * ease, 0)
    _set_turns(action, line.id, rotations)
    if earlier is not None and line.id in untouched:
        _write_window(action, curves, written, earlier)
    _write_window(action, curves, written, written[line.id])
    _store_lines(action, curves, written, {*untouched, line.id})


def has_line(target: bpy.types.Object | None, bone: str, uid: str) -> bool:
    """Whether the head motion of a line was written; arguments as for `remove_line`."""
    action = _action(target, bone)
    return action is not None and uid in _load_lines(action)


def remove_line(target: bpy.types.Object | None, bone: str, uid: str) -> None:
    """Remove the head motion of one line, unless its keys were changed; keys of other lines stay.

    If no key is left, the constraint goes, too.

    Args:
        target: What nods; None is fine.
        bone: Name of the armature's bone.
        uid: The line's id.
    """
    action = _action(target, bone)
    written = _load_lines(action) if action else {}
    if target is None or action is None or uid not in written:
        return
    curves = list(compat.object_fcurves(action))
    untouched = _untouched(curves, written)
    line = written.pop(uid)
    _set_turns(action, uid, None)
    if uid in untouched:
        _write_window(action, curves, written, line)
    _store_lines(action, curves, written, untouched)
    if not any(len(fcurve.keyframe_points) for fcurve in curves):
        remove(target, bone)


def move_line(target: bpy.types.Object | None, bone: str, uid: str, frames: int) -> None:
    """Move the head motion of one line in time, with the keys that were changed; keys of other lines stay.

    Args:
        target: What nods; None is fine.
        bone: Name of the armature's bone.
        uid: The line's id.
        frames: How much later the line is.
    """
    action = _action(target, bone)
    written = _load_lines(action) if action else {}
    line = written.get(uid)
    if action is None or line is None:
        return
    curves = list(compat.object_fcurves(action))
    untouched = _untouched(curves, written)
    keys = [_coordinates(fcurve)[_is_inside(_coordinates(fcurve), *line[:2])] for fcurve in curves]
    written[uid] = line._replace(first_frame=line.first_frame + frames)
    _write_window(action, curves, written, line)
    _write_window(action, curves, written, written[uid])
    if uid not in untouched:
        for fcurve, changed in zip(curves, keys, strict=True):
            _replace_keys(fcurve, *written[uid][:2], changed + np.array([frames, 0], np.float32))
    _store_lines(action, curves, written, untouched)


def remove(target: bpy.types.Object, bone: str) -> None:
    """Remove the head motion from a bone of an armature, or from another object, with its empty and Action."""
    constraint = find_constraint(target, bone)
    if constraint is None:
        return
    empty = constraint.target
    assert empty is not None  # else the constraint would not be one of head motion
    action = empty.animation_data.action if empty.animation_data else None
    _owner(target, bone).constraints.remove(constraint)
    bpy.data.objects.remove(empty)
    if action is not None and not action.users - action.use_fake_user:
        bpy.data.actions.remove(action)


def _action(target: bpy.types.Object | None, bone: str) -> bpy.types.Action | None:
    """Return the Action of the head motion; None if there is none."""
    constraint = find_constraint(target, bone)
    data = constraint.target.animation_data if constraint and constraint.target else None
    return data.action if data else None


def _owner(target: bpy.types.Object, bone: str) -> bpy.types.PoseBone | bpy.types.Object:
    """Return what the constraint is on."""
    return target.pose.bones[bone] if target.type == "ARMATURE" else target


def _rest_axes(target: bpy.types.Object, bone: str) -> Matrix:
    """Return the axes in the world, as columns, in which the constraint rotates: of the bone at rest, or the object."""
    if isinstance(target.data, bpy.types.Armature):
        matrix = target.matrix_world @ target.data.bones[bone].matrix_local
        return matrix.to_3x3().normalized()
    return matrix_without_head_motion(target).to_3x3().normalized()


def _local_rotations(
    target: bpy.types.Object, bone: str, motion: NDArray[np.floating], landmarks68: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return Euler XYZ angles (F, 3), continuous, of a face's motion (F, 3) in the axes in which the target rotates."""
    axes = _rest_axes(target, bone).transposed() @ _face_axes(landmarks68)
    rotations, previous = np.empty((len(motion), 3)), Euler()
    for i, angles in enumerate(motion.tolist()):
        local = axes @ Euler(angles).to_matrix() @ axes.transposed()
        previous = local.to_euler("XYZ", previous) if i else local.to_euler("XYZ")
        rotations[i] = previous[:]
    return rotations


def _face_axes(landmarks68: NDArray[np.floating]) -> Matrix:
    """Return the face's axes in the world, as columns: to its left, to the back, up. Landmarks are (68, 3)."""
    left = landmarks68[LEFT_EYE] - landmarks68[RIGHT_EYE]
    left = left / np.linalg.norm(left)
    up = landmarks68[NOSE_BRIDGE] - landmarks68[CHIN]
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up)
    return Matrix(np.stack((left, np.cross(up, left), up), 1).tolist())


def _animation_data(target: bpy.types.Object, bone: str) -> bpy.types.AnimData:
    """Return the animation data of the empty, which is made with its constraint if there is none."""
    owner, constraint = _owner(target, bone), find_constraint(target, bone)
    if constraint is None:
        empty = bpy.data.objects.new(f"{NAME} · {owner.name}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", 0.1
        empty.hide_viewport = empty.hide_render = True
        empty[MARK] = "head"
        _collection_for_empty(target).objects.link(empty)
        new = owner.constraints.new("COPY_ROTATION")
        assert isinstance(new, bpy.types.CopyRotationConstraint)
        new.name, new.target = NAME, empty
        new.mix_mode, new.owner_space, new.target_space = "AFTER", "LOCAL", "WORLD"
        new.show_expanded = False
        constraint = new
    data = constraint.target.animation_data or constraint.target.animation_data_create()
    assert data is not None  # an object can be animated
    return data


def _collection_for_empty(target: bpy.types.Object) -> bpy.types.Collection:
    """Return the target's collection; that of the scene if it is linked or overridden, as it takes no objects then."""
    local = (c for c in target.users_collection if c.library is None and c.override_library is None)
    return next(local, active_scene(bpy.context).collection)


class _LineKeys(NamedTuple):
    """Where a line was written, with the frames in which it eases, and a checksum of its keys there."""

    first_frame: int
    frames: int
    checksum: int


def _load_lines(action: bpy.types.Action) -> dict[str, _LineKeys]:
    """Return where each line was written, by its id; nothing if that cannot be read."""
    kept = {name: stored.numbers(value, 3) for name, value in stored.document(action.get(LINES)).items()}
    lines = {name: _LineKeys(*map(int, values)) for name, values in kept.items() if values is not None}
    return {
        name: line
        for name, line in lines.items()
        if abs(line.first_frame) < stored.LATEST and 0 < line.frames < stored.LATEST
    }


def _untouched(curves: list[bpy.types.FCurve], written: dict[str, _LineKeys]) -> set[str]:
    """Return the ids of the lines whose keys are as they were written."""
    return {uid for uid, line in written.items() if _checksum(curves, *line[:2]) == line.checksum}


def _store_lines(
    action: bpy.types.Action, curves: list[bpy.types.FCurve], written: dict[str, _LineKeys], generated: set[str]
) -> None:
    """Store where each line was written.

    Args:
        action: The Action.
        curves: Its curves.
        written: The lines.
        generated: Ids of those whose keys are all generated, as they are now.
    """
    for uid in generated & written.keys():
        line = written[uid]
        written[uid] = line._replace(checksum=_checksum(curves, *line[:2]))
    action[LINES] = json.dumps(written)


def _set_turns(action: bpy.types.Action, uid: str, rotations: NDArray[np.float64] | None) -> None:
    """Keep the angles (F, 3) of a line on its own frames, or forget them."""
    store.set_record(action, TURNS, uid, None if rotations is None else store.packed(rotations))


def _turns(action: bpy.types.Action, uid: str) -> NDArray[np.float32] | None:
    """Return the angles (F, 3) of a line on its own frames; None if they were not kept, or cannot be read."""
    try:
        return store.unpacked(store.record_of(action, TURNS, uid), 2)
    except store.UNREADABLE:
        return None


def _write_window(
    action: bpy.types.Action, curves: list[bpy.types.FCurve], written: dict[str, _LineKeys], window: _LineKeys
) -> None:
    """Replace the keys in a window by those of the lines that reach into it; of these, the later ones decide.

    Args:
        action: The Action.
        curves: Its curves for X, Y and Z.
        written: The lines, in the order in which they were written.
        window: First frame and number of frames.
    """
    frames = np.arange(window.first_frame, window.first_frame + window.frames)
    angles = np.zeros((len(frames), 3))
    inside, ends = np.zeros(len(frames), bool), np.zeros(len(frames), bool)
    for uid, known in written.items():
        turns = _turns(action, uid)
        if turns is None:
            continue
        ease = (known.frames - len(turns)) // 2
        first, last = known.first_frame, known.first_frame + known.frames - 1
        held = np.clip(frames - first - ease, 0, len(turns) - 1)
        angles += ease_weight(frames, first + ease, len(turns), ease)[:, None] * (turns[held] - angles)
        inside |= (frames >= first) & (frames <= last)
        ends |= (frames == first) | (frames == last)
    for fcurve, values in zip(curves, angles.T, strict=True):
        needed = (_is_needed(values) | ends) & inside
        _replace_keys(fcurve, *window[:2], np.stack((frames[needed], values[needed]), 1))


def _is_needed(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which keys (F,) of a curve are needed: not those inside of level stretches."""
    level = np.abs(np.diff(values)) < LEVEL
    needed = np.ones(len(values), bool)
    needed[1:-1] = ~(level[:-1] & level[1:])
    return needed


def _checksum(curves: list[bpy.types.FCurve], first_frame: int, count: int) -> int:
    """Return a checksum of the keys of these curves in so many frames from first_frame on."""
    checksum = 0
    for fcurve in curves:
        co = _coordinates(fcurve)
        checksum = zlib.crc32(co[_is_inside(co, first_frame, count)].tobytes(), checksum)
    return checksum


def _replace_keys(fcurve: bpy.types.FCurve, first_frame: int, count: int, keys: NDArray[np.floating]) -> None:
    """Replace the keys in so many frames from first_frame on by keys (n, 2), frames and values; the others stay."""
    co = _coordinates(fcurve)
    co = np.concatenate((co[~_is_inside(co, first_frame, count)], keys))
    co = np.ascontiguousarray(co[np.argsort(co[:, 0], kind="stable")], np.float32)
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(co))
    points.foreach_set("co", co.ravel())
    fcurve.update()


def _coordinates(fcurve: bpy.types.FCurve) -> NDArray[np.float32]:
    """Return frames and values (N, 2) of a curve's keys."""
    numbers = np.empty(2 * len(fcurve.keyframe_points), np.float32)
    fcurve.keyframe_points.foreach_get("co", numbers)
    return numbers.reshape(-1, 2)


def _is_inside(co: NDArray[np.float32], first_frame: int, count: int) -> NDArray[np.bool_]:
    """Return for each of the keys (N, 2) whether it lies in so many frames from first_frame on, bool (N,)."""
    return (co[:, 0] >= first_frame - 0.5) & (co[:, 0] <= first_frame + count - 0.5)
