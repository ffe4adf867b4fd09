"""Reads a face that the artist has made as values of ARKit's channels, whatever keys or bones the head has."""

from collections.abc import Mapping as Mapped
from typing import NamedTuple

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from .. import compat
from ..animation import bone_actions
from ..errors import UserError
from ..formats import live_link
from ..prediction import recording
from ..rigs import families, pose_channels, visemes
from ..rigs.drive import channel_of
from ..rigs.mapping import Mapping, Row
from ..rigs.pose_channels import LEAST
from ..scene import bones, drivers, rig, shape_keys
from ..scene.access import mesh_of
from ..scene.meshes import coordinates
from ..scene.snapshots import BoneRest
from .name_list import listed

DIGITS = 4  # of a channel's value
UNLIKE = 0.5  # share of a shape that the channels do not show, from which on the artist is told
KEY_PATH = 'key_blocks["'


class Face(NamedTuple):
    """A face as values of channels.

    Attributes:
        weights: Values of the channels that are not at rest.
        note: What is to be said of it, as the continuation of a sentence; may be empty.
    """

    weights: dict[str, float]
    note: str = ""


def of_pose(head: bpy.types.Object) -> Face:
    """The face that the head makes now.

    Raises:
        UserError: It is at rest, or none of what is posed is known.
    """
    keys = mesh_of(head).shape_keys
    values = {key.name: key.value for key in keys.key_blocks[1:] if not key.mute} if keys else {}
    armature = bones.armature_of(head)
    now = {bone.name: bones.read(bone) for bone in armature.pose.bones} if armature else {}
    return _face(head, values, now, iface("The face is at rest: pose its shape keys or bones first"))


def of_action(head: bpy.types.Object, action: bpy.types.Action, frame: float) -> Face:
    """The face that an Action, such as a pose asset, makes at a frame. What it does not animate is at rest.

    Raises:
        UserError: It animates nothing of this face there.
    """
    curves = {(curve.data_path, curve.array_index): curve.evaluate(frame) for curve in compat.fcurves_of(action)}
    names = [key.name for key in mesh_of(head).shape_keys.key_blocks] if mesh_of(head).shape_keys else []
    paths = {f'{KEY_PATH}{bpy.utils.escape_identifier(name)}"].value': name for name in names}
    values = {paths[path]: value for (path, _index), value in curves.items() if path in paths}
    armature = bones.armature_of(head) or bones.deforming_armature(head)
    now: dict[str, BoneRest] = {}
    if armature is not None:
        now = {bone.name: _posed(bone, curves) for bone in armature.pose.bones}
        if armature.library is None and drivers.driven_keys(mesh_of(head)):
            values = _through_drivers(head, armature, curves) | values
    text = iface('"{name}" moves nothing of this face at frame {frame}')
    return _face(head, values, now, text.format(name=action.name, frame=f"{frame:g}"))


def of_recording(path: str, row: int) -> Face:
    """The face in a row of a file of Live Link Face.

    Args:
        path: The .csv file.
        row: Number of the row, from 1 on. Rows without a face do not count.

    Raises:
        UserError: The file cannot be read, or has no such row.
    """
    curves = recording.channels(live_link.read(path))
    if not 1 <= row <= len(curves.values):
        text = iface("The file has {count} rows with a face: choose one of them")
        raise UserError(text.format(count=len(curves.values)))
    found = _rounded(dict(zip(curves.names, curves.values[row - 1].tolist(), strict=True)))
    if not found:
        raise UserError("The face is at rest in this row: choose another one")
    return Face(found)


def _face(head: bpy.types.Object, values: Mapped[str, float], now: Mapped[str, BoneRest], at_rest: str) -> Face:
    """The face of key values and bones.

    Args:
        head: The head.
        values: Values of its keys by name; those that are missing are at 0.
        now: How its bones stand.
        at_rest: The sentence for a face that is at rest.
    """
    channels = families.channels()
    mapping, looks = _mapping(head), {}
    if mapping.solved:
        looks = dict(zip(mapping.solved, visemes.looks(mapping, list(values)), strict=True))
    found, unknown = pose_channels.of_keys(mapping, channels, values, looks)
    note = ""
    if unknown:
        known, unlike = _of_shapes(head, mapping, {name: values[name] for name in unknown})
        found = {channel: max(found[channel], known.get(channel, 0.0)) for channel in channels}
        if unlike:
            note = iface("; not all of it is shown: no channels are known that look like {names}").format(
                names=listed(unlike)
            )
    found |= _of_bones(head, now)
    weights = _rounded(found)
    if not weights:
        unexplained = iface("It is not known what {names} show: press Generate once, then try again")
        raise UserError(unexplained.format(names=listed(unknown)) if unknown else at_rest)
    return Face(weights, note)


def _mapping(head: bpy.types.Object) -> Mapping:
    """The mapping of the head's own keys, with the keys that have the names of channels, or were made for them."""
    mesh = mesh_of(head)
    if mesh.shape_keys is None:
        return Mapping("", ())
    mapping = rig.mapping_of(head) or Mapping("", ())
    made_as = {now: name for name, now in shape_keys.renamed(mesh).items()}
    by_form = {channel.casefold(): channel for channel in families.channels()}
    mapped = {row.key for row in mapping.rows}
    rows = [
        Row(key.name, by_form[form])
        for key in mesh.shape_keys.key_blocks[1:]
        if key.name not in mapped and (form := channel_of(made_as.get(key.name, key.name)).casefold()) in by_form
    ]
    return Mapping(mapping.name, (*mapping.rows, *rows))


def _of_shapes(
    head: bpy.types.Object, mapping: Mapping, values: Mapped[str, float]
) -> tuple[dict[str, float], list[str]]:
    """What keys without a known meaning show, told by their shapes, compared with those of the keys of channels.

    Returns:
        Values of channels, and the names of the keys if these channels do not look like them.
    """
    blocks = mesh_of(head).shape_keys.key_blocks
    gains = mapping.gains(families.channels())
    alone = {
        key: (int(np.flatnonzero(column)[0]), float(column.max()))
        for key, column in zip(mapping.direct, gains.T, strict=True)
        if np.count_nonzero(column) == 1 and column.max() > LEAST and key in blocks
    }
    if not alone:
        return {}, list(values)
    shape = sum(value * _offsets(blocks[name]) for name, value in values.items())
    basis = np.stack([_offsets(blocks[key]) / gain for key, (_channel, gain) in alone.items()])
    found, rest = pose_channels.of_shape(basis, np.asarray(shape))
    known: dict[str, float] = {}
    for (channel, _gain), value in zip(alone.values(), found.tolist(), strict=True):
        name = families.channels()[channel]
        known[name] = max(known.get(name, 0.0), value)
    return known, list(values) if rest > UNLIKE else []


def _offsets(key: bpy.types.ShapeKey) -> NDArray[np.float32]:
    """(V, 3) offsets of a key at value 1."""
    return coordinates(key.points) - coordinates(key.relative_key.points)


def _of_bones(head: bpy.types.Object, now: Mapped[str, BoneRest]) -> dict[str, float]:
    """The channels that posed bones show."""
    poses = bones.poses(head)
    names = [name for name in dict.fromkeys(pose.bone for pose in poses) if name in now]
    channels = list(dict.fromkeys(pose.channel for pose in poses))
    if not names:
        return {}
    rests = {rest.bone: rest for rest in bone_actions.resting(head, names)}
    table, moved = np.zeros((len(channels), len(names), 3, 3)), np.zeros((len(names), 3, 3))
    for pose in poses:
        if pose.bone in names:
            table[channels.index(pose.channel), names.index(pose.bone)] += (pose.location, pose.rotation, pose.scale)
    for i, name in enumerate(names):
        if pose_now := bones.difference("", now[name], rests[name]):
            moved[i] = pose_now.location, pose_now.rotation, pose_now.scale
    unit = np.maximum(np.abs(table).max((0, 3), keepdims=True), 1e-9)  # of lengths, angles and scales of each bone
    gains, values = (table / unit).reshape(len(channels), -1), (moved / unit[0]).ravel()
    return dict(zip(channels, pose_channels.bounded_values(gains, values).tolist(), strict=True))


def _posed(bone: bpy.types.PoseBone, curves: Mapped[tuple[str, int], float]) -> BoneRest:
    """How a bone stands where curves have these values, by data path and index; at rest without curves."""
    parts: dict[str, list[float]] = {}
    for name, prop, index in bones.component_names(bone):
        path = name.rpartition("[")[0]
        parts.setdefault(prop, []).append(curves.get((path, index), bones.default(prop, index)))
    location, rotation, scale = parts.values()
    return BoneRest(bone.name, bone.rotation_mode, tuple(location), tuple(rotation), tuple(scale))


def _through_drivers(
    head: bpy.types.Object, armature: bpy.types.Object, curves: Mapped[tuple[str, int], float]
) -> dict[str, float]:
    """Values of the keys that drivers move where an armature's properties have the values of curves.

    The armature is posed for that, and then stands as before.
    """
    before: list[tuple[bpy.types.bpy_struct, str, int, float]] = []
    for (path, index), value in curves.items():
        owner_path, _dot, name = path.rpartition(".")
        try:
            owner = armature.path_resolve(owner_path) if owner_path else armature
            kept = getattr(owner, name)
        except (ValueError, AttributeError):  # of another object
            continue
        if not isinstance(owner, bpy.types.bpy_struct):
            continue
        is_array = hasattr(kept, "__len__")
        before.append((owner, name, index, float(kept[index] if is_array else kept)))
        _set(owner, name, index, value)
    driven = drivers.driven_keys(mesh_of(head))
    try:
        bpy.context.view_layer.update()
        evaluated = mesh_of(head.evaluated_get(bpy.context.evaluated_depsgraph_get())).shape_keys
        return {key.name: key.value for key in evaluated.key_blocks if key.name in driven} if before else {}
    finally:
        for owner, name, index, value in before:
            _set(owner, name, index, value)
        bpy.context.view_layer.update()


def _set(owner: bpy.types.bpy_struct, name: str, index: int, value: float) -> None:
    """Set a number of a property."""
    now = getattr(owner, name)
    if hasattr(now, "__len__"):
        now[index] = value
    else:
        setattr(owner, name, value)


def _rounded(values: Mapped[str, float]) -> dict[str, float]:
    """The channels that are not at rest, in the order of ARKit's."""
    order = [channel for channel in families.channels() if abs(values.get(channel, 0.0)) >= LEAST]
    return {channel: round(min(max(values[channel], 0.0), 1.0), DIGITS) for channel in order}
