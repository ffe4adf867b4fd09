"""Finds generated shape keys, and bones that lines move, after the artist has renamed them.

Blender renames the data paths of their curves as well. So the record of what was written must follow: else these curves
would count as the artist's, and new ones would move the face twice.
"""

import json
from collections.abc import Mapping

import bpy

from ..scene import bones, shape_keys
from ..scene.access import mesh_of
from . import action_cache, actions, bone_actions, curve_record, fcurves, generated_curves
from .curve_record import Record
from .fcurves import value_path
from .generated_curves import GeneratedCurves


def adopt(head: bpy.types.Object) -> None:
    """Find what was renamed on a head; nothing on one that is linked from another file."""
    if head.library is None:
        mesh = mesh_of(head)
        shape_keys.find_renamed(mesh)
        adopt_keys(actions.existing(mesh))
        adopt_bones(head)


def adopt_keys(action: bpy.types.Action | None) -> None:
    """Let the record of a head's Action follow the shape keys that were renamed."""
    if action is None or action.library is not None:
        return
    paths: dict[str, str] = {}
    for keys in actions.animated_keys(action):
        if isinstance(keys.user, bpy.types.Mesh):
            shape_keys.find_renamed(keys.user)
            for now, names in shape_keys.former_names(keys.user).items():
                paths |= {value_path(name): value_path(now) for name in names - {now}}
    if paths:
        _rename(action, paths)


def adopt_bones(head: bpy.types.Object) -> None:
    """Find bones that were renamed by their curves, and let the poses and the record follow.

    A bone is found if its name is gone, and the generated Action moves the same numbers of exactly one other bone,
    which neither a line nor a pose names.
    """
    armature, action, gone = bones.armature_of(head), bone_actions.existing(head), bones.missing(head)
    if armature is None or action is None or action.library is not None or not gone:
        return
    written = _by_bone(curve_record.paths(action))
    present = _by_bone(GeneratedCurves(action).present)
    posed = {row.bone for row in bones.settings(head).rows}
    free = {name for name in present if name in armature.pose.bones and name not in written and name not in posed}
    lost = [name for name in gone if name in written and name not in present]
    found = {name: [other for other in free if present[other] == written[name]] for name in lost}
    claims = [other for others in found.values() for other in others]
    new = {name: others[0] for name, others in found.items() if len(others) == 1 and claims.count(others[0]) == 1}
    if not new:
        return
    for user in bone_actions.users_of(action):
        bones.rename(user, new)
    paths = {_path(name) + part: _path(other) + part for name, other in new.items() for part in written[name]}
    _rename(action, paths)


def _rename(action: bpy.types.Action, paths: Mapping[str, str]) -> None:
    """Let the record follow curves that are there under another name, and not under the one on record."""
    present, record = GeneratedCurves(action).present, curve_record.load(action)
    moved = {
        old: new
        for old, new in paths.items()
        if old in record.keys and old not in present and new in present and new not in record.keys
    }
    if not moved:
        return
    if generated_curves.is_for_bones(action):
        scales = generated_curves.scales(action)
        action[generated_curves.MARK] = json.dumps({moved.get(name, name): scale for name, scale in scales.items()})
    keys = {moved.get(path, path): kept for path, kept in record.keys.items()}
    ranges = {moved.get(path, path): kept for path, kept in record.ranges.items()}
    curve_record.store(action, Record(keys, ranges))
    action_cache.forget(action)


def _by_bone(names: "Mapping[str, object] | set[str]") -> dict[str, set[str]]:
    """The numbers that curves move, as the ends of their names, by bone."""
    found: dict[str, set[str]] = {}
    for name in names:
        if name.startswith("pose.bones["):
            bone = fcurves.key_name(name)
            found.setdefault(bone, set()).add(name.removeprefix(_path(bone)))
    return found


def _path(bone: str) -> str:
    """The data path of a bone."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
