"""Finds the constraint of generated head motion, and computes the transform of an object without it."""

from typing import TypeGuard

import bpy
from mathutils import Matrix, Quaternion

from . import stored

MARK = "lsf_layer"  # custom property on the empty that rotates the head


def find_constraint(target: bpy.types.Object | None, bone: str) -> bpy.types.CopyRotationConstraint | None:
    """The constraint that the head motion layer has put on a bone of an armature, or on another object."""
    if target is None:
        return None
    owner = target.pose.bones.get(bone) if target.type == "ARMATURE" else target
    return next((c for c in owner.constraints if _is_generated(c)), None) if owner is not None else None


def matrix_without_head_motion(obj: bpy.types.Object) -> Matrix:
    """World matrix that the object would have without the head motion layer on it or on its parents."""
    found = find_constraint(obj, "") if obj.type != "ARMATURE" else None
    if found is not None and not found.mute:
        turn = Quaternion().slerp(found.target.matrix_world.to_quaternion(), found.influence)
        return obj.matrix_world @ turn.to_matrix().to_4x4().inverted()
    if obj.parent is not None and obj.parent_type == "OBJECT" and not obj.constraints:
        parent = matrix_without_head_motion(obj.parent)
        if parent != obj.parent.matrix_world:
            return parent @ obj.matrix_parent_inverse @ obj.matrix_basis
    return obj.matrix_world


def _is_generated(constraint: bpy.types.Constraint) -> TypeGuard[bpy.types.CopyRotationConstraint]:
    """Whether a constraint copies the rotation of an empty that was generated for head motion."""
    return (
        isinstance(constraint, bpy.types.CopyRotationConstraint)
        and constraint.target is not None
        and stored.text(constraint.target, MARK) is not None
    )
