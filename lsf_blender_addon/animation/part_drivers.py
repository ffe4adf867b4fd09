"""Parts of a character that are objects of their own: their shape keys follow the head's of the same names.

Each gets a driver that copies the head's value, so the head's curves (its takes, its NLA, an artist's changes) are the
only ones, and move everything. A key of the part that has a driver or a curve of the artist's keeps that instead.
"""

from dataclasses import dataclass

import bpy
import numpy as np

from .. import compat
from ..scene.snapshots import Character
from . import actions, nla, shape_keys

SEEN = 5e-3  # of the largest offset on the character: a part that a channel moves less does not follow it
VARIABLE = "lsf_head"  # in our drivers


@dataclass(frozen=True)
class Follower:
    """A part, and what is to be written to it."""

    part: bpy.types.Object
    plan: shape_keys.KeyPlan
    channels: list[int]  # those of the head's that it follows, as its plan counts them


def plan(
    parts: list[bpy.types.Object],
    character: Character,
    head_keys: set[str],
    channels: list[str],
    motion: np.ndarray,
    basis: np.ndarray,
    size: float,
) -> list[Follower]:
    """Plan keys for parts, the members of the character behind the head; motion (F, K), basis (K, V, 3) on all of it.

    `head_keys` names the head's keys that move, or may move later, `size` is the largest offset of all channels. Raises
    UserError.
    """
    follows = [k for k, channel in enumerate(channels) if channel in head_keys]
    names, motion = [channels[k] for k in follows], motion[:, follows]
    found = []
    for part, (rest, share) in zip(parts, list(character.pieces(basis, axis=1))[1:], strict=True):
        taken = actions.driven_keys(part.data) - followed_keys(part.data) | _animated(part.data)
        moving = np.abs(share[follows]).max((1, 2), initial=0.0) > SEEN * size
        keys = shape_keys.plan(part, rest, names, motion, share[follows], taken, moving, head_keys)
        if keys.shapes or keys.animated:
            found.append(Follower(part, keys, follows))
    return found


def write(follower: Follower, motion: np.ndarray, head: bpy.types.Object) -> None:
    """Add the planned keys to the part and let them follow the head's, which are there; motion (F, K) as planned."""
    part, source = follower.part, head.data.shape_keys
    shape_keys.write(part, follower.plan, motion[:, follower.channels])
    for name in sorted({*follower.plan.names, *follower.plan.shapes} - {*follower.plan.driven}):
        path = actions.value_path(name)
        data = part.data.shape_keys.animation_data
        curve = (data and data.drivers.find(path)) or part.data.shape_keys.driver_add(path)
        if not curve.driver.variables:
            _copy(curve, source, path)
        elif (variable := curve.driver.variables[0]).name == VARIABLE:  # of an earlier run, maybe on another head
            variable.targets[0].id, variable.targets[0].data_path = source, path


def followed_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that follow a head through our drivers."""
    data = mesh.shape_keys.animation_data if mesh.shape_keys else None
    paths = (
        {
            curve.data_path
            for curve in data.drivers
            if any(variable.name == VARIABLE for variable in curve.driver.variables)
        }
        if data
        else set()
    )
    return {key.name for key in mesh.shape_keys.key_blocks if actions.value_path(key.name) in paths} if paths else set()


def _copy(curve: bpy.types.FCurve, source: bpy.types.Key, path: str) -> None:
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    curve.driver.type = "SUM"  # of one value; no Python expression, which a file's security settings could turn off
    variable = curve.driver.variables.new()
    variable.name = VARIABLE
    target = variable.targets[0]
    target.id_type, target.id, target.data_path = "KEY", source, path


def _animated(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that have curves of their own, in the active Action or the NLA."""
    data = mesh.shape_keys.animation_data if mesh.shape_keys else None
    if data is None:
        return set()
    paths = {curve.data_path for action in nla.actions(data) for curve in compat.fcurves_of(action)}
    return {key.name for key in mesh.shape_keys.key_blocks if actions.value_path(key.name) in paths}
