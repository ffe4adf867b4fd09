"""Takes back everything that was written for a line, if an error occurs half-way.

Before the first change, everything that a line may change is recorded: the character's shape keys with their animation
data (Action, slot, NLA, drivers), the generated Actions, the head's properties, and the head motion.

Blender's own undo cannot do this: it takes back whole operators, and nothing in background mode. Modifiers that an
artist has put on a generated NLA strip are the one thing that Blender lets nobody restore.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import bpy

from .. import compat
from ..scene.access import ensure_key_animation, key_animation, mesh_of
from ..scene.head_motion import find_constraint
from ..scene.meshes import coordinates
from ..scene.own_properties import face_of
from ..scene.shape_keys import MARK as KEYS_MARK
from ..scene.shape_keys import marks
from . import actions, layers, nla, part_drivers
from .shape_keys import MAX_SLIDER

BACKUP = "LSF backup"  # name of an Action's copy while the line is written
# Properties of a strip that follow from others.
DERIVED = {"frame_start", "frame_end", "frame_start_ui", "frame_end_ui"}

Values = dict[str, Any]  # of the properties of something in Blender's data


@contextmanager
def on_error(objects: list[bpy.types.Object], target: bpy.types.Object | None, bone: str) -> Iterator[None]:
    """While the context is open, an error takes back what was written in it, and is raised on.

    Args:
        objects: The character's objects, the head first.
        target: The object that gets the head motion, if any does.
        bone: Its bone; empty where the target is no armature.
    """
    face = face_of(objects[0])
    properties = _values(face)
    meshes = [_Mesh(obj) for obj in objects]
    motion = _HeadMotion(target, bone)
    copies = _Actions({action for mesh in meshes for action in mesh.generated} | motion.actions)
    try:
        yield
    except BaseException:
        motion.restore()
        copies.restore()
        for mesh in reversed(meshes):  # the head last: drivers of the parts refer to its keys
            mesh.restore()
        _restore_values(face, properties)
        raise
    copies.discard()


class _Actions:
    """Which Actions there are, and copies of those that may be changed."""

    def __init__(self, changeable: Iterable[bpy.types.Action]) -> None:
        self.names = {_identity(action) for action in bpy.data.actions}
        self.copies: dict[str, bpy.types.Action] = {}
        self.kept: set[str] = set()  # names of those with a fake user
        for action in changeable:
            if action.library is None:
                copy = action.copy()
                assert isinstance(copy, bpy.types.Action)
                self.copies[action.name] = copy
                if action.use_fake_user:
                    self.kept.add(action.name)
        for copy in self.copies.values():
            copy.name = BACKUP

    def restore(self) -> None:
        """Put each copy in the place of its original, and remove new Actions."""
        known = set(self.copies.values())
        for action in [action for action in bpy.data.actions if action not in known]:
            if _identity(action) not in self.names:
                bpy.data.actions.remove(action)
        for name, copy in self.copies.items():
            original = next((action for action in bpy.data.actions if _identity(action) == (name, "")), None)
            if original is not None:  # it may have been removed
                original.user_remap(copy)
                bpy.data.actions.remove(original)
            copy.name, copy.use_fake_user = name, name in self.kept

    def discard(self) -> None:
        """Remove the copies."""
        for copy in self.copies.values():
            bpy.data.actions.remove(copy)


class _HeadMotion:
    """The constraints on what nods, the objects in the file, and the animation of the empty that turns the head."""

    def __init__(self, target: bpy.types.Object | None, bone: str) -> None:
        self.target, self.bone = target, bone
        constraints = self._constraints()
        self.count = len(constraints)
        self.active = next((i for i, constraint in enumerate(constraints) if constraint.active), None)
        self.objects = {_identity(obj) for obj in bpy.data.objects} if target else set()
        found = find_constraint(target, bone)
        self.empty = found.target if found else None
        data = self.empty.animation_data if self.empty else None
        self.use = _action_use(data) if data else None
        action = data.action if data else None
        self.actions = {action} if action else set()

    def restore(self) -> None:
        """Remove what is new, and let the empty play what it played."""
        if self.target is None:
            return
        constraints = self._constraints()
        for constraint in list(constraints)[self.count :]:  # new ones are the last
            constraints.remove(constraint)
        if self.active is not None:
            constraints.active = constraints[self.active]
        for obj in [obj for obj in bpy.data.objects if _identity(obj) not in self.objects]:
            bpy.data.objects.remove(obj)
        if self.empty is None:
            return
        if self.use is None:
            self.empty.animation_data_clear()
        else:
            _play(self.empty.animation_data, self.use)

    def _constraints(self) -> Any:
        if self.target is None:
            return ()
        return (self.target.pose.bones[self.bone] if self.target.type == "ARMATURE" else self.target).constraints


class _Mesh:
    """The shape keys of an object, and what animates them."""

    def __init__(self, obj: bpy.types.Object) -> None:
        self.mesh = mesh_of(obj)
        keys, data = self.mesh.shape_keys, key_animation(self.mesh)
        blocks = keys.key_blocks if keys else ()
        self.object, self.active = obj, obj.active_shape_key_index
        self.sliders = {key.name: (key.slider_min, key.slider_max, key.value) for key in blocks}
        self.mark = marks(self.mesh) if keys and keys.get(KEYS_MARK) is not None else None
        self.shapes = {key.name: coordinates(key.points) for key in blocks if key.name in (self.mark or ())}
        self.animation = _Animation(data) if data else None
        self.generated = {
            action
            for action in (nla.actions(data) if data else ())
            if not {actions.MARK, layers.MARK}.isdisjoint(action.keys())
        }

    def restore(self) -> None:
        """Set everything back to what was recorded."""
        obj, keys = self.object, self.mesh.shape_keys
        if keys is None:
            return
        if not self.sliders:
            obj.shape_key_clear()
            return
        if self.animation is None:
            keys.animation_data_clear()
        else:
            self.animation.restore(ensure_key_animation(self.mesh))
        for key in [key for key in keys.key_blocks if key.name not in self.sliders]:
            obj.shape_key_remove(key)
        for key in keys.key_blocks:
            if key.name in self.shapes:
                key.points.foreach_set("co", self.shapes[key.name].ravel())
            low, high, value = self.sliders[key.name]
            if (key.slider_min, key.slider_max, key.value) != (low, high, value):
                key.slider_min, key.slider_max = -MAX_SLIDER, MAX_SLIDER  # they bound the value while it is set
                key.value = value
                key.slider_min, key.slider_max = low, high
        obj.active_shape_key_index = self.active
        if self.mark is None:
            keys.pop(KEYS_MARK, None)
        else:
            keys[KEYS_MARK] = self.mark
        keys.update_tag()
        self.mesh.update_tag()


class _Animation:
    """The animation data of shape keys: the active Action, NLA tracks, drivers."""

    def __init__(self, data: bpy.types.AnimData) -> None:
        self.use = _action_use(data)
        self.tracks = [(_values(track), [_Strip(strip) for strip in track.strips]) for track in data.nla_tracks]
        self.active = next((i for i, track in enumerate(data.nla_tracks) if track == data.nla_tracks.active), None)
        self.drivers = {curve.data_path for curve in data.drivers}
        self.sources = {path: (target.id, target.data_path) for path, target in part_drivers.targets(data).items()}

    def restore(self, data: bpy.types.AnimData) -> None:
        """Set everything back to what was recorded."""
        for curve in [curve for curve in data.drivers if curve.data_path not in self.drivers]:
            data.drivers.remove(curve)
        for path, target in part_drivers.targets(data).items():
            target.id, target.data_path = self.sources[path]
        for track in list(data.nla_tracks)[len(self.tracks) :]:  # new ones are the last
            data.nla_tracks.remove(track)
        for track, (values, strips) in zip(data.nla_tracks, self.tracks, strict=True):
            _restore_strips(track, strips)
            _restore_values(track, values)
        _play(data, self.use)
        data.nla_tracks.active = None if self.active is None else data.nla_tracks[self.active]


class _ActionUse(NamedTuple):
    """Which Action an AnimData or a strip plays, and which slot of it."""

    action: tuple[str, str] | None
    slot: int = 0  # its handle
    last_slot: str = ""


def _action_use(user: Any) -> _ActionUse:
    name = _identity(user.action) if user.action else None
    return (
        _ActionUse(name, user.action_slot_handle, user.last_slot_identifier) if compat.has_slots() else _ActionUse(name)
    )


def _find_action(use: _ActionUse) -> bpy.types.Action | None:
    return next((action for action in bpy.data.actions if _identity(action) == use.action), None)


def _play(user: Any, use: _ActionUse) -> None:
    """Let an AnimData or a strip play what it played."""
    if _action_use(user) == use:
        return
    user.action = _find_action(use)
    if compat.has_slots():
        slots = user.action.slots if user.action else ()
        user.action_slot = next((slot for slot in slots if slot.handle == use.slot), None) if user.action else None
        user.last_slot_identifier = use.last_slot


class _Strip:
    """An NLA strip."""

    def __init__(self, strip: bpy.types.NlaStrip) -> None:
        self.use, self.values = _action_use(strip), _strip_values(strip)
        self.curves = {curve.data_path: [_values(key) for key in curve.keyframe_points] for curve in strip.fcurves}

    def is_same(self, strip: bpy.types.NlaStrip) -> bool:
        """Whether the strip is as it was recorded."""
        other = _Strip(strip)
        return (self.use, self.values, self.curves) == (other.use, other.values, other.curves)

    def add_to(self, track: bpy.types.NlaTrack) -> None:
        """Make the strip again."""
        action = _find_action(self.use)
        if action is None:
            return
        strip = track.strips.new(self.values["name"], int(self.values["frame_start_raw"]), action)
        _play(strip, self.use)
        for _ in range(2):  # some of them change others
            _restore_values(strip, self.values)
        for path, keys in self.curves.items():  # the curves are there: properties switch them on
            points = strip.fcurves.find(path).keyframe_points
            points.clear()
            points.add(len(keys))
            for point, values in zip(points, keys, strict=True):
                _restore_values(point, values)


def _restore_strips(track: bpy.types.NlaTrack, recorded: list[_Strip]) -> None:
    """Remove the strips that are not as they were, and make again those that are missing."""
    missing = list(recorded)
    for strip in list(track.strips):
        same = next((state for state in missing if state.is_same(strip)), None)
        if same is None:
            track.strips.remove(strip)
        else:
            missing.remove(same)
    for state in missing:
        state.add_to(track)


def _strip_values(strip: bpy.types.NlaStrip) -> Values:
    left_out = DERIVED | {"action_slot_handle", "last_slot_identifier", "action"}
    return {name: value for name, value in _values(strip).items() if name not in left_out}


def _identity(block: bpy.types.ID) -> tuple[str, str]:
    """What tells a data-block from others of its kind: its name, and the file that it is linked from."""
    return block.name, block.library.filepath if block.library else ""


def _values(struct: Any) -> Values:
    """The properties of something in Blender's data that can be set, with those of groups inside."""
    values: Values = {}
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if name == "rna_type":
            continue
        if prop.type == "COLLECTION":
            if isinstance(struct, bpy.types.PropertyGroup):
                values[name] = [_values(item) for item in getattr(struct, name)]
        elif prop.type == "POINTER":
            value = getattr(struct, name)
            if isinstance(value, bpy.types.PropertyGroup):
                values[name] = _values(value)
            elif isinstance(struct, bpy.types.PropertyGroup) and not prop.is_readonly:
                values[name] = value
        elif not prop.is_readonly:
            value = getattr(struct, name)
            values[name] = tuple(value) if getattr(prop, "is_array", False) else value
    return values


def _restore_values(struct: Any, values: Values) -> None:
    """Set those of the recorded properties that have changed."""
    for name, value in values.items():
        now = getattr(struct, name)
        if isinstance(value, dict):
            _restore_values(now, value)
        elif isinstance(value, list):
            if [_values(item) for item in now] != value:
                now.clear()
                for item in value:
                    _restore_values(now.add(), item)
        elif (tuple(now) if isinstance(value, tuple) else now) != value:
            setattr(struct, name, value)
