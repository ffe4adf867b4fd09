"""Drivers that make the parts of a character follow the head, from each key to the part's key of the same name.

Each driver copies the head's value, so the head's curves (its takes, its NLA, an artist's changes) are the only ones,
and move everything. A key of the part that has a driver or a curve of the artist's keeps that instead.
"""

import bpy

from .. import compat
from ..scene.access import key_animation, mesh_of, shape_keys_of
from . import actions, nla, shape_keys
from .fcurves import value_path
from .key_plan import MeshState, PartPlan

VARIABLE = "lsf_head"  # in our drivers


def read(part: bpy.types.Object) -> MeshState:
    """The shape keys of a part as they are now; those that the artist has driven or animated cannot follow the head."""
    mesh = mesh_of(part)
    return shape_keys.read(part, actions.driven_keys(mesh) - followed_keys(mesh) | _animated(mesh))


def write(plan: PartPlan, head: bpy.types.Object) -> None:
    """Add the planned keys to the part, and let each follow the head's key of the same name, which must exist."""
    part, source = bpy.data.objects[plan.object], shape_keys_of(mesh_of(head))
    shape_keys.write(part, plan.keys)
    keys = shape_keys_of(mesh_of(part))
    for name in sorted({*plan.keys.names, *plan.keys.shapes} - {*plan.keys.driven}):
        path = value_path(name)
        curve = keys.animation_data.drivers.find(path) if keys.animation_data else None
        if curve is None:
            added = keys.driver_add(path)
            assert isinstance(added, bpy.types.FCurve)  # a list only for arrays
            _copy(added, source, path)
        elif (variable := _variable(curve)) is not None:  # of an earlier run, maybe on another head
            variable.targets[0].id, variable.targets[0].data_path = source, path


def followed_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys that follow a head through our drivers."""
    data = key_animation(mesh)
    return _keys_of(mesh, set(targets(data))) if data else set()


def targets(data: bpy.types.AnimData) -> dict[str, bpy.types.DriverTarget]:
    """The targets of our drivers on the head, by data path on the part."""
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
    data = key_animation(mesh)
    players = nla.players(data) if data else []
    return _keys_of(mesh, {curve.data_path for player in players for curve in compat.played_fcurves(player)})


def _keys_of(mesh: bpy.types.Mesh, paths: set[str]) -> set[str]:
    """Names of the keys whose values these data paths lead to."""
    blocks = mesh.shape_keys.key_blocks if mesh.shape_keys else ()
    return {key.name for key in blocks if value_path(key.name) in paths}
