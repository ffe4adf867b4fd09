"""The head's nods and sway: an empty that turns, and a constraint that adds its turn to a bone or an object.

The constraint works on top of the artist's own pose, whatever animates that, and its Influence is the layer's strength.
No key of the artist is touched, and without the constraint the pose is as it was.
"""

import bpy
import numpy as np
from mathutils import Euler, Matrix

from .. import compat
from ..errors import UserError
from ..scene.head_motion import MARK, find_constraint, matrix_without_head_motion
from ..scene.snapshots import Line
from . import layers

NAME = "LSF head motion"  # of the constraint
RIGHT_EYE, LEFT_EYE, NOSE_BRIDGE, CHIN = 36, 45, 27, 8  # of the 68 landmarks


def check(target: bpy.types.Object | None, bone: str) -> None:
    """Raise UserError if the head motion cannot be put on this object or bone."""
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


def write(target: bpy.types.Object, bone: str, line: Line, motion: np.ndarray, landmarks68: np.ndarray) -> None:
    """Turn the bone (or, without an armature, the object) by motion (F, 3), from line.first_frame on.

    Motion is Euler XYZ in radians for a face along -Y, as the server gives it; landmarks (68, 3) in world axes tell how
    this face stands. Frames of other lines stay.
    """
    owner = target.pose.bones[bone] if target.type == "ARMATURE" else target
    axes = _rest_axes(target, bone).transposed() @ _face_axes(landmarks68)
    turns, before = np.empty((len(motion), 3)), None
    for i, angles in enumerate(motion):
        local = axes @ Euler(angles).to_matrix() @ axes.transposed()
        before = local.to_euler("XYZ", before) if before else local.to_euler("XYZ")
        turns[i] = before
    empty = _empty(target, owner)
    action = empty.animation_data.action
    if action is None:
        action = bpy.data.actions.new(f"{NAME} · {owner.name}")
        compat.object_fcurves(action)
        compat.assign_object_action(empty.animation_data, action)
    fcurves = compat.object_fcurves(action)
    for axis in range(3):
        fcurve = fcurves.find("rotation_euler", index=axis) or fcurves.new("rotation_euler", index=axis)
        _replace(fcurve, line.first_frame, turns[:, axis])


def remove(target: bpy.types.Object, bone: str) -> None:
    """Take the layer off, with its empty and Action."""
    found = find_constraint(target, bone)
    empty, action = found.target, found.target.animation_data.action if found.target.animation_data else None
    owner = target.pose.bones[bone] if target.type == "ARMATURE" else target
    owner.constraints.remove(found)
    bpy.data.objects.remove(empty)
    if action is not None and not action.users - action.use_fake_user:
        bpy.data.actions.remove(action)


def _rest_axes(target: bpy.types.Object, bone: str) -> Matrix:
    """Axes in the world, as columns, in which the constraint turns: of the bone at rest, or of the object."""
    if target.type == "ARMATURE":
        matrix = target.matrix_world @ target.data.bones[bone].matrix_local
        return matrix.to_3x3().normalized()
    return matrix_without_head_motion(target).to_3x3().normalized()


def _face_axes(landmarks68: np.ndarray) -> Matrix:
    """The face's axes in the world, as columns: to its left, to the back, up."""
    left = landmarks68[LEFT_EYE] - landmarks68[RIGHT_EYE]
    left = left / np.linalg.norm(left)
    up = landmarks68[NOSE_BRIDGE] - landmarks68[CHIN]
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up)
    return Matrix(np.stack((left, np.cross(up, left), up), 1).tolist())


def _empty(target: bpy.types.Object, owner) -> bpy.types.Object:
    """The empty that turns this owner, made with its constraint if they are not there."""
    bone = owner.name if target.type == "ARMATURE" else ""
    found = find_constraint(target, bone)
    if found is None:
        empty = bpy.data.objects.new(f"{NAME} · {owner.name}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", 0.1
        empty.hide_viewport = empty.hide_render = True
        empty[MARK] = "head"
        (target.users_collection or [bpy.context.scene.collection])[0].objects.link(empty)
        found = owner.constraints.new("COPY_ROTATION")
        found.name, found.target = NAME, empty
        found.mix_mode, found.owner_space, found.target_space = "AFTER", "LOCAL", "WORLD"
        found.show_expanded = False
    empty = found.target
    if empty.animation_data is None:
        empty.animation_data_create()
    return empty


def _replace(fcurve: bpy.types.FCurve, first_frame: int, values: np.ndarray) -> None:
    """Give the curve these values (F,) from first_frame on; its keys outside of these frames stay."""
    points = fcurve.keyframe_points
    co = np.empty(2 * len(points), np.float32)
    points.foreach_get("co", co)
    co = co.reshape(-1, 2)
    others = co[(co[:, 0] < first_frame - 0.5) | (co[:, 0] > first_frame + len(values) - 0.5)]
    points.clear()
    frames, kept = layers.thinned(values)
    co = np.concatenate((others, np.stack((first_frame + frames, kept), 1)))
    co = np.ascontiguousarray(co[np.argsort(co[:, 0], kind="stable")], np.float32)
    points.add(len(co))
    points.foreach_set("co", co.ravel())
    fcurve.update()
