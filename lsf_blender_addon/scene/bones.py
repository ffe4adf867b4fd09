"""The bones that channels move: the artist's poses at channel value 1, which are stored in the head object."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Euler, Quaternion

from ..errors import UserError
from . import stored
from .access import find_item
from .own_properties import face_of
from .snapshots import AXIS_ANGLE, QUATERNION, BonePose, BoneRest, rotation_property

if TYPE_CHECKING:
    from ..ui.properties.bones import LSF_PG_bones

SAME = 1e-5  # largest difference of two poses that comes from rounding


def settings(head: bpy.types.Object) -> "LSF_PG_bones":
    """What is stored about the head's bones."""
    return face_of(head).bones


def armature_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The armature whose bones channels move; None if none was chosen, or if it was deleted."""
    armature = settings(head).armature
    return armature if armature is not None and armature.type == "ARMATURE" and armature.users_scene else None


def deforming_armature(head: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that deforms a head, or whose child it is; None if there is none."""
    by_modifier = [
        modifier.object
        for modifier in head.modifiers
        if isinstance(modifier, bpy.types.ArmatureModifier) and modifier.object is not None
    ]
    found = next(iter(by_modifier), head.parent)
    return found if found is not None and found.type == "ARMATURE" else None


def poses(head: bpy.types.Object) -> list[BonePose]:
    """The poses at channel value 1, of the bones that are still there."""
    armature = armature_of(head)
    if armature is None:
        return []
    return [
        BonePose(row.channel, row.bone, tuple(row.location), tuple(row.rotation), tuple(row.scale))
        for row in settings(head).rows
        if row.bone in armature.pose.bones
        and stored.numbers((*row.location, *row.rotation, *row.scale), 9) is not None  # else the file is damaged
    ]


def channels(head: bpy.types.Object) -> tuple[str, ...]:
    """The channels that bones show, so that shape keys need not."""
    return tuple(dict.fromkeys(pose.channel for pose in poses(head)))


def kept(head: bpy.types.Object) -> dict[str, float]:
    """How the bones stood before a channel's pose was shown, by the names of their curves; empty if none is shown."""
    values = {name: stored.numbers([value], 1) for name, value in stored.document(settings(head).kept).items()}
    return {name: value[0] for name, value in values.items() if value is not None}


def missing(head: bpy.types.Object) -> list[str]:
    """Names of the bones that were deleted or renamed since their poses were set."""
    armature = armature_of(head)
    if armature is None:
        return []
    names = (row.bone for row in settings(head).rows)
    return list(dict.fromkeys(name for name in names if name not in armature.pose.bones))


def require_armature(head: bpy.types.Object) -> bpy.types.Object:
    """The head's armature.

    Raises:
        UserError: None was chosen, or it is linked from another file.
    """
    armature = armature_of(head)
    if armature is None:
        raise UserError("Choose the armature whose bones move the face")
    if armature.library is not None:
        raise UserError(f'"{armature.name}" is linked from another file: make a library override of it first')
    return armature


def component_names(bone: bpy.types.PoseBone) -> list[tuple[str, str, int]]:
    """Names of the curves of a bone's transform in its rotation mode, each with the property and index."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"]'
    names = ("location", rotation_property(bone.rotation_mode), "scale")
    return [(f"{path}.{name}[{i}]", name, i) for name in names for i in range(len(getattr(bone, name)))]


def default(name: str, index: int) -> float:
    """The value of a number of a bone's transform where the bone is not posed; the axis of a rotation is that of Y."""
    if name == "rotation_axis_angle":
        return float(index == 2)
    return float(name == "scale" or (name == "rotation_quaternion" and index == 0))


def read(bone: bpy.types.PoseBone) -> BoneRest:
    """How a bone stands now, without what animates it."""
    rotation = tuple(getattr(bone, rotation_property(bone.rotation_mode)))
    return BoneRest(bone.name, bone.rotation_mode, tuple(bone.location[:]), rotation, tuple(bone.scale[:]))


def write(bone: bpy.types.PoseBone, pose: BoneRest) -> None:
    """Let a bone stand like this."""
    bone.location, bone.scale = pose.location, pose.scale
    setattr(bone, rotation_property(pose.mode), pose.rotation)


def difference(channel: str, now: BoneRest, rest: BoneRest) -> BonePose | None:
    """The pose of a bone relative to its rest, for a channel; None where it is at rest."""
    turn = to_quaternion(rest).inverted() @ to_quaternion(now)
    if turn.w < 0:
        turn.negate()
    axis, angle = turn.to_axis_angle()
    rotation = np.array(axis) * angle
    location, scale = (np.array(getattr(now, name)) - getattr(rest, name) for name in ("location", "scale"))
    if max(np.abs(part).max() for part in (rotation, location, scale)) < SAME:
        return None
    parts = [(float(part[0]), float(part[1]), float(part[2])) for part in (location, rotation, scale)]
    return BonePose(channel, now.bone, *parts)


def to_quaternion(pose: BoneRest) -> Quaternion:
    """The rotation of a bone as a unit quaternion."""
    if pose.mode == QUATERNION:
        return Quaternion(pose.rotation).normalized()
    if pose.mode == AXIS_ANGLE:
        return Quaternion(pose.rotation[1:], pose.rotation[0])
    return Euler(pose.rotation, pose.mode).to_quaternion()


def store(head: bpy.types.Object, channel: str, found: Iterable[BonePose]) -> None:
    """Replace the poses of a channel."""
    clear(head, channel)
    rows = settings(head).rows
    for pose in found:
        row = rows.add()
        row.name = row.bone = pose.bone
        row.channel, row.location, row.rotation, row.scale = channel, pose.location, pose.rotation, pose.scale


def clear(head: bpy.types.Object, channel: str) -> None:
    """Forget the poses of a channel."""
    rows = settings(head).rows
    for index in reversed([i for i, row in enumerate(rows) if row.channel == channel]):
        rows.remove(index)


def rename(head: bpy.types.Object, names: Mapping[str, str]) -> None:
    """Let poses follow bones that were renamed.

    Args:
        head: The head.
        names: The new names, by the old ones.
    """
    for row in settings(head).rows:
        row.name = row.bone = names.get(row.bone, row.bone)


def held(head: bpy.types.Object) -> dict[str, list[str]]:
    """What keeps bones from moving as posed: names of bones by "driver", "constraint" or "lock"."""
    armature = armature_of(head)
    found: dict[str, list[str]] = {"driver": [], "constraint": []}
    if armature is None:
        return found
    drivers = driven(armature)
    for name in dict.fromkeys(pose.bone for pose in poses(head)):
        bone = find_item(armature.pose.bones, name)
        if bone is None:
            continue
        if any(component in drivers for component, _property, _index in component_names(bone)):
            found["driver"].append(name)
        elif any(not constraint.mute and constraint.influence > 0 for constraint in bone.constraints):
            found["constraint"].append(name)
    return found


def driven(armature: bpy.types.Object) -> set[str]:
    """Names of the curves of bones that would not count, as drivers move what they move."""
    data = armature.animation_data
    return {f"{curve.data_path}[{curve.array_index}]" for curve in data.drivers} if data else set()
