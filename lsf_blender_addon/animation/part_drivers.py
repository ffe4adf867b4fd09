"""Drivers that make the parts of a character follow the head, from each key to the part's key of the same name.

Each driver copies the head's value, so the head's curves (its takes, its NLA, an artist's changes) are the only ones,
and move everything. A key of the part that has a driver or a curve of the artist's keeps that instead.

The part does not play the head's curves themselves: Blender disables a curve for all users of an Action as soon as one
of them lacks the curve's key, and then it does not play on the head either (Blender 4.2; later versions in the NLA).

Exporters such as Blender's glTF take along only what has an Action. So the part plays the head's Action with a slot of
its own, which holds one key at rest; the drivers decide the values, and these are what the exporter samples.
"""

import bpy

from .. import compat
from ..scene import drivers
from ..scene.access import key_animation, mesh_of, shape_keys_of
from ..scene.shape_keys import renamed
from . import actions, nla, shape_keys
from .fcurves import value_path
from .key_plan import MeshState, PartPlan

VARIABLE = "lsf_head"  # in our drivers


def read(part: bpy.types.Object) -> MeshState:
    """The shape keys of a part as they are now; those that the artist has driven or animated cannot follow the head."""
    mesh = mesh_of(part)
    return shape_keys.read(part, drivers.driven_keys(mesh) - followed_keys(mesh) | _animated(mesh))


def write(plan: PartPlan, head: bpy.types.Object) -> None:
    """Add the planned keys to the part, and let each follow the head's key of the same name, which must exist."""
    part, source = bpy.data.objects[plan.object], shape_keys_of(mesh_of(head))
    shape_keys.write(part, plan.keys)
    keys, own_names, head_names = shape_keys_of(mesh_of(part)), renamed(mesh_of(part)), renamed(mesh_of(head))
    for name in sorted({*plan.keys.names, *plan.keys.shapes} - {*plan.keys.driven}):
        path, followed = (value_path(names.get(name, name)) for names in (own_names, head_names))
        curve = keys.animation_data.drivers.find(path) if keys.animation_data else None
        if curve is None:
            added = keys.driver_add(path)
            assert isinstance(added, bpy.types.FCurve)  # a list only for arrays
            _copy(added, source, followed)
        elif (variable := _variable(curve)) is not None:  # of an earlier run, maybe on another head
            variable.targets[0].id, variable.targets[0].data_path = source, followed


def play_along(part: bpy.types.Object, head: bpy.types.Object) -> None:
    """Let a part that follows the head play the head's Action with a slot of its own; see the module's docstring.

    Nothing changes before Blender 4.4, nor if the artist has animated the part.
    """
    data, action = key_animation(mesh_of(part)), actions.existing(mesh_of(head))
    path = min(targets(data), default="") if data else ""
    if data is None or action is None or not path or not compat.has_slots():
        return
    if data.action is None or actions.is_generated(data.action):
        curves = compat.own_key_slot(data, action, part.name)
        for curve in [curve for curve in curves if curve.data_path in targets(data)]:  # others are the artist's
            curves.remove(curve)
        curves.new(path).keyframe_points.insert(action.curve_frame_range[0], 0.0)


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
    """Names of the keys that have curves of the artist's, in the active Action or the NLA."""
    data = key_animation(mesh)
    if data is None:
        return set()
    ours = set(targets(data))  # in the generated Action, one of these has the key that `play_along` makes
    return _keys_of(
        mesh,
        {
            curve.data_path
            for player in nla.players(data)
            for curve in compat.played_fcurves(player)
            if not (actions.is_generated(player.action) and curve.data_path in ours)
        },
    )


def _keys_of(mesh: bpy.types.Mesh, paths: set[str]) -> set[str]:
    """Names of the keys whose values these data paths lead to."""
    blocks = mesh.shape_keys.key_blocks if mesh.shape_keys else ()
    return {key.name for key in blocks if value_path(key.name) in paths}
