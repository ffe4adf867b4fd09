"""The head motion that was generated for a bone or an object: its constraint, and the pose without it."""

import bpy
from mathutils import Matrix, Quaternion

MARK = "lsf_layer"  # custom property on the empty that turns the head


def find_constraint(target: bpy.types.Object | None, bone: str) -> bpy.types.Constraint | None:
    """The layer's constraint on this bone or object."""
    if target is None:
        return None
    owner = target.pose.bones.get(bone) if target.type == "ARMATURE" else target
    return next((c for c in owner.constraints if _is_ours(c)), None) if owner is not None else None


def matrix_without_head_motion(obj: bpy.types.Object) -> Matrix:
    """Where the object would be in the world without the layer on it, or on what it is parented to."""
    found = find_constraint(obj, "") if obj.type != "ARMATURE" else None
    if found is not None and not found.mute:
        turn = Quaternion().slerp(found.target.matrix_world.to_quaternion(), found.influence)
        return obj.matrix_world @ turn.to_matrix().to_4x4().inverted()
    if obj.parent is not None and obj.parent_type == "OBJECT" and not obj.constraints:
        parent = matrix_without_head_motion(obj.parent)
        if parent != obj.parent.matrix_world:
            return parent @ obj.matrix_parent_inverse @ obj.matrix_basis
    return obj.matrix_world


def _is_ours(found: bpy.types.Constraint) -> bool:
    return found.type == "COPY_ROTATION" and found.target is not None and MARK in found.target
