"""Recognises the bones of a face and fills the list of those that channels move."""

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from ..errors import UserError
from ..rigs import face_bones
from ..rigs.face_bones import RestBone
from ..scene import bones
from ..scene.snapshots import BonePose
from . import bone_poses


def recognise(head: bpy.types.Object) -> str:
    """Fill the list of bones that channels move, as the names of the armature's bones say.

    If no armature was chosen, it is the one that deforms the head.

    Returns:
        A sentence for the artist.

    Raises:
        UserError: No armature was chosen, or no bone is recognised.
    """
    settings = bones.settings(head)
    if settings.armature is None:
        settings.armature = bones.deforming_armature(head)
    armature = bones.require_armature(head)
    found = face_bones.recognise({bone.name: _read(bone) for bone in armature.pose.bones})
    driven = bones.driven(armature)
    poses = [
        BonePose(channel, name, _three(location), _three(rotation))
        for channel, by_bone in (found.rows if found else {}).items()
        for name, (location, rotation) in by_bone.items()
        if not driven & {component for component, _prop, _i in bones.component_names(armature.pose.bones[name])}
    ]
    if found is None or not poses:
        raise UserError(
            f'No bone of "{armature.name}" is known as one of a face: pose the jaw as it is where jawOpen is 1, and '
            "press Set"
        )
    bone_poses.store_poses(head, poses)
    return iface("{name}: {channels} channels move {bones} bones").format(
        name=found.name, channels=len({pose.channel for pose in poses}), bones=len({pose.bone for pose in poses})
    )


def _read(bone: bpy.types.PoseBone) -> RestBone:
    """A bone at rest; a control goes as far as its limit lets it, or as long as it is."""
    matrix = bone.bone.matrix_local
    reach = next(
        (
            constraint.max_y
            for constraint in bone.constraints
            if isinstance(constraint, bpy.types.LimitLocationConstraint)
            and constraint.use_max_y
            and constraint.owner_space == "LOCAL"
            and constraint.max_y > 0
        ),
        bone.bone.length,
    )
    return RestBone(np.array(matrix.to_translation()), np.array(matrix.to_3x3().normalized()), float(reach))


def _three(vector: np.typing.NDArray[np.float64]) -> tuple[float, float, float]:
    """A vector (3,) as plain numbers."""
    return float(vector[0]), float(vector[1]), float(vector[2])
