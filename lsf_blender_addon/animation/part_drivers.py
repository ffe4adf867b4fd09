"""Lets parts of a character that are objects of their own follow the head: drivers from key to key of the same name.

Each driver copies the head's value, so the head's curves (its takes, its NLA, an artist's changes) are the only ones,
and move everything. A key of the part that has a driver or a curve of the artist's keeps that instead.
"""

import bpy

from .. import compat
from . import actions, nla, shape_keys
from .key_plan import MeshState, PartPlan

VARIABLE = "lsf_head"  # in our drivers


def read(part: bpy.types.Object) -> MeshState:
    """The shape keys of a part as they are now; those that the artist has driven or animated cannot follow the head."""
    return shape_keys.read(part, actions.driven_keys(part.data) - followed_keys(part.data) | _animated(part.data))


def write(plan: PartPlan, head: bpy.types.Object) -> None:
    """Add the planned keys to the part, and let them follow the head's, which are there."""
    part, source = bpy.data.objects[plan.object], head.data.shape_keys
    shape_keys.write(part, plan.keys)
    for name in sorted({*plan.keys.names, *plan.keys.shapes} - {*plan.keys.driven}):
        path = actions.value_path(name)
        data = part.data.shape_keys.animation_data
        curve = data.drivers.find(path) if data else None
        if curve is None:
            _copy(part.data.shape_keys.driver_add(path), source, path)
        elif (variable := _variable(curve)) is not None:  # of an earlier run, maybe on another head
            variable.targets[0].id, variable.targets[0].data_path = source, path


def followed_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that follow a head through our drivers."""
    data = mesh.shape_keys.animation_data if mesh.shape_keys else None
    paths = targets(data).keys() if data else set()
    return {key.name for key in mesh.shape_keys.key_blocks if actions.value_path(key.name) in paths} if paths else set()


def targets(data: bpy.types.AnimData) -> dict[str, bpy.types.DriverTarget]:
    """What our drivers copy: data path on the part, and the driver's target on the head."""
    found = {curve.data_path: _variable(curve) for curve in data.drivers}
    return {path: variable.targets[0] for path, variable in found.items() if variable is not None}


def _variable(curve: bpy.types.FCurve) -> bpy.types.DriverVariable | None:
    """Our variable in a driver."""
    return next((variable for variable in curve.driver.variables if variable.name == VARIABLE), None)


def _copy(curve: bpy.types.FCurve, source: bpy.types.Key, path: str) -> None:
    """Make a new driver copy the value at a path of the head's keys."""
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
