"""The generated Action of the bones that channels move, on the head's armature, beside the artist's animation.

Where it plays:
- It is the active Action of an armature that has none.
- If the artist's own Action is active, or the armature has NLA tracks, it is a strip on a track "LSF bones", which is
  combined with the rest: the artist's pose and the line add up. An active Action that would replace what is below it is
  set to Combine, which changes nothing else, as long as the artist has no tracks of their own.

The head points to its Action, so it may have any name, and is saved even if nothing plays it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import bpy
import numpy as np

from .. import compat
from ..errors import UserError
from ..scene import bones, stored
from ..scene.access import find_item
from ..scene.own_properties import face_of
from ..scene.snapshots import BonePose, BoneRest, rotation_property
from . import action_cache, actions, bone_curves, curve_edits, curve_record, fcurves, generated_curves, nla
from .bone_curves import BoneCurves, Component
from .composition import Composition
from .generated_curves import Scale, split
from .key_plan import VISIBLE_VALUE
from .line_curves import Window

TRACK = "LSF bones"
BLEND = "lsf_blend"  # custom property on the Action: how the artist's active Action was blended before


@dataclass(frozen=True)
class BoneDrive:
    """A head whose channels move bones."""

    head: bpy.types.Object
    armature: bpy.types.Object | None
    poses: list[BonePose]
    rests: list[BoneRest]
    driven: frozenset[str]  # names of curves that drivers overrule


def check(head: bpy.types.Object) -> None:
    """Check that the bones of a head can take lines, if channels move some.

    Raises:
        UserError: The armature is linked from another file, or its NLA is in tweak mode, or turned off although the
            Action would have to play through it.
    """
    if not bones.channels(head):
        return
    armature, action = bones.require_armature(head), existing(head)
    data = armature.animation_data
    if action is not None:
        actions.check_local(action)
    if data is None:
        return
    if data.use_tweak_mode:
        raise UserError(f'Leave the NLA\'s tweak mode of "{armature.name}" first: Tab in the NLA editor')
    if not (data.use_nla or (data.action in (None, action) and not data.nla_tracks)):
        raise UserError(
            f'The NLA of "{armature.name}" is turned off: turn it on, the bones of the face play through it'
        )


def existing(head: bpy.types.Object) -> bpy.types.Action | None:
    """The generated Action of a head's bones; of a copied armature the copy that it plays."""
    pointed, armature = bones.settings(head).action, bones.armature_of(head)
    data = armature.animation_data if armature else None
    playing = [action for action in nla.actions(data) if generated_curves.is_for_bones(action)] if data else []
    if pointed is not None and (pointed in playing or not playing):
        return pointed
    return next((action for action in playing if not users_of(action)), pointed)


def heads_of(action: bpy.types.Action) -> list[bpy.types.Object]:
    """The heads that play a generated Action of shape keys and have bones that channels move, or have moved."""
    meshes = {keys.user for keys in actions.animated_keys(action)}
    found: dict[bpy.types.Object, bpy.types.Object] = {}
    for head in bpy.data.objects if meshes else ():
        if head.type == "MESH" and head.data in meshes:
            settings = bones.settings(head)
            if settings.action is not None or (settings.armature is not None and len(settings.rows)):
                found.setdefault(bones.armature_of(head) or head, head)  # copies of a head may share an armature
    return list(found.values())


def drive(head: bpy.types.Object) -> BoneDrive:
    """The head's armature, and its bones as they stand where all channels are 0."""
    armature, action, poses = bones.armature_of(head), existing(head), bones.poses(head)
    if armature is None:
        return BoneDrive(head, None, [], [], frozenset())
    before = bones.kept(head)  # where a pose is shown at the moment
    before |= {name: scale.before for name, scale in generated_curves.scales(action).items()} if action else {}
    others = _animated_by_others(armature, action)
    rests = [_rest(armature.pose.bones[name], before, others) for name in dict.fromkeys(pose.bone for pose in poses)]
    return BoneDrive(head, armature, poses, rests, frozenset(bones.driven(armature)))


def resting(head: bpy.types.Object, names: Iterable[str]) -> list[BoneRest]:
    """Bones at rest, whether they stand there or not: as they stood before lines animated them, else unposed.

    Args:
        head: The head.
        names: Names of bones of its armature.
    """
    armature, action = bones.require_armature(head), existing(head)
    before = {name: scale.before for name, scale in generated_curves.scales(action).items()} if action else {}
    found = [armature.pose.bones[name] for name in names]
    unposed = {name for bone in found for name, _property, _index in bones.component_names(bone)}
    return [_rest(bone, before, unposed) for bone in found]


def moved_by_others(head: bpy.types.Object) -> set[str]:
    """Names of the bones of the head's armature that Actions of the artist animate."""
    others = _animated_by_others(bones.require_armature(head), existing(head))
    return {fcurves.key_name(name) for name in others if name.startswith("pose.bones[")}


def moved_by_lines(head: bpy.types.Object) -> set[str]:
    """Names of the bones that lines of a head animate."""
    action = existing(head)
    return {fcurves.key_name(name) for name in curve_record.paths(action)} if action else set()


def set_values(armature: bpy.types.Object, values: Mapping[str, float]) -> None:
    """Set numbers of bones' transforms, by the names of their curves."""
    for name, value in values.items():
        _set_value(armature, name, value)


def name_of(component: Component) -> str:
    """The name of a component's curve."""
    return f'pose.bones["{bpy.utils.escape_identifier(component.bone)}"].{component.property}[{component.index}]'


def composed(drive: BoneDrive, channels: Composition, keys: Composition) -> Composition:
    """Turn the motion of channels in a window into that of bones, and make the Action count like this.

    Args:
        drive: The head.
        channels: The channels that bones show.
        keys: The shape keys in the same window: they matter to where the lips meet.

    Returns:
        The motion, by the names of the bones' curves. It is empty where nothing moves and there is no Action.
    """
    made = bone_curves.make(drive.poses, drive.rests, channels.names, channels.motion, channels.lips)
    names = [name_of(component) for component in made.components]
    action = existing(drive.head)
    known = curve_record.paths(action) if action else set()
    moves = np.abs(made.values).max(0, initial=0.0) > VISIBLE_VALUE
    chosen = [k for k, name in enumerate(names) if (moves[k] or name in known) and name not in drive.driven]
    if chosen and action is None:
        action = ensure(drive)
    if action is not None:
        _count(drive, action, made, names)
    lips = made.lips[chosen]
    beside = range(len(chosen), len(chosen) + len(keys.names)) if keys.lips.shape[1] == lips.shape[1] else range(0)
    return replace(
        channels,
        names=[*(names[k] for k in chosen), *keys.names[: len(beside)]],
        motion=np.concatenate([made.values[:, chosen], keys.motion[:, : len(beside)]], 1),
        lips=np.concatenate([lips, keys.lips[: len(beside)].reshape(len(beside), *lips.shape[1:])]),
        beside=tuple(beside),
    )


def ensure(drive: BoneDrive) -> bpy.types.Action:
    """The generated Action of a head's bones. It is made if there is none, or if another head has it, too."""
    head, armature, action = drive.head, drive.armature, existing(drive.head)
    assert armature is not None  # else no bone moves
    if action is None:
        action = bpy.data.actions.new(f"LSF · {armature.name}")
        compat.object_fcurves(action)
        generated_curves.set_scales(action, {})
    elif any(other != head and bones.armature_of(other) != armature for other in users_of(action)):
        shared, action = action, action.copy()
        assert isinstance(action, bpy.types.Action)
        data = armature.animation_data
        for player in nla.players(data) if data else ():
            if player.action == shared:
                player.action = action
                compat.assign_slot(player, action, "OBJECT")
    bones.settings(head).action = action
    return action


def place(head: bpy.types.Object) -> None:
    """Make the generated Action of a head's bones play; see the module's docstring."""
    action, armature = existing(head), bones.armature_of(head)
    if action is None:
        return
    for other in [obj for obj in bpy.data.objects if obj != armature and _plays(obj, action)]:
        if not any(bones.armature_of(user) == other for user in users_of(action)):
            _take_off(other, action)  # the artist has chosen another armature
    if armature is None:
        return
    data = armature.animation_data or armature.animation_data_create()
    if data is None or data.use_tweak_mode:
        return
    if data.action == action or (data.action is None and not any(not _is_ours(track) for track in data.nla_tracks)):
        nla.remove_strips(data.nla_tracks, action)
        _remove_empty(data)
        compat.assign_object_action(data, action)
    elif not any(
        strip.action == action for track in data.nla_tracks if not _is_ours(track) for strip in track.strips
    ):  # else the artist has put it on a track of their own
        _put_on_track(data, action)
    armature.update_tag()


def remove_if_empty(head: bpy.types.Object) -> None:
    """Remove a generated Action in which nothing is left; the artist's keys in it stay."""
    action = existing(head)
    if action is None:
        return
    if compat.fcurves_of_object(action):
        place(head)
        return
    for armature in [obj for obj in bpy.data.objects if _plays(obj, action)]:
        _take_off(armature, action)
    for user in users_of(action):
        bones.settings(user).action = None
    if not action.users - action.use_fake_user:
        bpy.data.actions.remove(action)


def put_back(drive: BoneDrive, action: bpy.types.Action, gone: frozenset[str]) -> None:
    """Let bones whose curves were removed stand as they did before they were animated."""
    known = generated_curves.scales(action)
    for armature in [obj for obj in bpy.data.objects if gone and (obj == drive.armature or _plays(obj, action))]:
        for name in gone & known.keys():
            _set_value(armature, name, known[name].before)


def overruled(head: bpy.types.Object) -> list[str]:
    """Names of the bones over which the artist's active Action decides."""
    action, armature = existing(head), bones.armature_of(head)
    data = armature.animation_data if armature else None
    if action is None or data is None or data.action in (None, action) or data.action_blend_type != "REPLACE":
        return []
    theirs = {f"{curve.data_path}[{curve.array_index}]" for curve in compat.played_fcurves(data)}
    return sorted({fcurves.key_name(name) for name in theirs & curve_record.paths(action)})


def move(action: bpy.types.Action, window: Window, frames: int, others: list[Window], moved: bool) -> None:
    """Move the keys of bones with those of the shape keys.

    Args:
        action: The Action of the bones.
        window: First and last frame of the line.
        frames: How much later it is.
        others: Windows of other lines.
        moved: Whether the artist may have moved the keys themselves.
    """
    if moved and curve_edits.moved_by(action, window) == frames:
        fcurves.note_moves(action, [(window, frames)], others)
    else:
        fcurves.move(action, window, frames, others)


def _count(drive: BoneDrive, action: bpy.types.Action, made: BoneCurves, names: list[str]) -> None:
    """Keep how the values of the bones' curves are counted, and how the bones stood before."""
    assert drive.armature is not None
    old, written = generated_curves.scales(action), curve_record.paths(action)
    new = {name: scale for name, scale in old.items() if name in written}
    for name, component in zip(names, made.components, strict=True):
        before = old[name].before if name in old else _standing(drive, component)
        new[name] = Scale(component.rest, component.unit, before)
        if component.property == "rotation_axis_angle" and name not in written:
            _set_value(drive.armature, name, component.rest)  # the axis at rest, which may need no curve
    generated_curves.set_scales(action, new)


def _rest(bone: bpy.types.PoseBone, before: dict[str, float], others: set[str]) -> BoneRest:
    """How a bone stands where all channels are 0: unposed as far as other animation adds its pose.

    Args:
        bone: The bone.
        before: How it stood before it was animated, by the names of its curves.
        others: Names of curves of others.
    """
    numbers: dict[str, list[float]] = {}
    for name, prop, index in bones.component_names(bone):
        if name in before:
            value = before[name]
        else:
            value = bones.default(prop, index) if name in others else float(getattr(bone, prop)[index])
        numbers.setdefault(prop, []).append(value)
    rotation = numbers[rotation_property(bone.rotation_mode)]
    return BoneRest(bone.name, bone.rotation_mode, tuple(numbers["location"]), tuple(rotation), tuple(numbers["scale"]))


def _animated_by_others(armature: bpy.types.Object, action: bpy.types.Action | None) -> set[str]:
    """Names of curves that other Actions animate on an armature."""
    data = armature.animation_data
    return {
        f"{curve.data_path}[{curve.array_index}]"
        for player in (nla.players(data) if data else ())
        if player.action is not None and player.action != action
        for curve in compat.played_fcurves(player)
    }


def users_of(action: bpy.types.Action) -> list[bpy.types.Object]:
    """The heads that point to an Action of bones."""
    return [obj for obj in bpy.data.objects if obj.type == "MESH" and face_of(obj).bones.action == action]


def _plays(obj: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether an object plays an Action."""
    return obj.type == "ARMATURE" and obj.animation_data is not None and action in nla.actions(obj.animation_data)


def _is_ours(track: bpy.types.NlaTrack) -> bool:
    """Whether a track was generated, and holds nothing else."""
    return nla.is_named(track, TRACK) and all(generated_curves.is_for_bones(strip.action) for strip in track.strips)


def _remove_empty(data: bpy.types.AnimData) -> None:
    """Remove generated tracks without strips."""
    for track in [track for track in data.nla_tracks if _is_ours(track) and not track.strips]:
        data.nla_tracks.remove(track)


def _put_on_track(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Let an Action play from a track of ours above all others, combined with what is below."""
    active = data.nla_tracks.active
    nla.remove_strips([track for track in data.nla_tracks if _is_ours(track)], action)
    tracks = list(data.nla_tracks)
    theirs = max((i for i, track in enumerate(tracks) if not _is_ours(track)), default=-1)
    above = tracks[theirs + 1 :]
    strip = nla.add_strip(data, action, TRACK, lambda track: track in above and _is_ours(track), id_type="OBJECT")
    strip.extrapolation, strip.blend_type = "HOLD", "COMBINE"
    _remove_empty(data)
    if data.action is not None and data.action_blend_type == "REPLACE" and theirs < 0:
        action[BLEND] = data.action_blend_type
        data.action_blend_type = "COMBINE"
    if active is not None and active in list(data.nla_tracks):
        data.nla_tracks.active = active


def _take_off(armature: bpy.types.Object, action: bpy.types.Action) -> None:
    """Take an Action off an armature, whose bones then stand as they did before."""
    data = armature.animation_data
    assert data is not None  # it plays the Action
    data.use_tweak_mode = False
    nla.remove_strips(data.nla_tracks, action)
    _remove_empty(data)
    if data.action == action:
        data.action = None
    is_below = any(generated_curves.is_for_bones(strip.action) for track in data.nla_tracks for strip in track.strips)
    if stored.text(action, BLEND) == "REPLACE" and data.action_blend_type == "COMBINE" and not is_below:
        data.action_blend_type = "REPLACE"
    for name, scale in generated_curves.scales(action).items():
        _set_value(armature, name, scale.before)
    armature.update_tag()
    action_cache.forget(action)


def _standing(drive: BoneDrive, component: Component) -> float:
    """How a number of a bone's transform was before it was animated."""
    rest = next(rest for rest in drive.rests if rest.bone == component.bone)
    values = {"location": rest.location, "scale": rest.scale}.get(component.property, rest.rotation)
    return float(values[component.index])


def _set_value(armature: bpy.types.Object, name: str, value: float) -> None:
    """Set a number of a bone's transform; nothing if the bone is gone."""
    path, index = split(name)
    owner = find_item(armature.pose.bones, fcurves.key_name(name))
    if owner is not None:
        getattr(owner, path.rsplit(".", 1)[1])[index] = value
