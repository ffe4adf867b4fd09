"""Undoes everything that was written for a line, if an error occurs half-way.

Before the first change, everything that a line may change is recorded: the character's shape keys with their animation
data (Action, slot, NLA, drivers), the generated Actions, the head's properties, the head motion, and the bones that
channels move.

Blender's own undo cannot do this: it undoes whole operators, and nothing in background mode. One thing is lost:
modifiers that an artist has put on a generated NLA strip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import bpy

from ..scene import bones, stored
from ..scene.access import ensure_key_animation, key_animation, mesh_of
from ..scene.character import listed_parts
from ..scene.head_motion import find_constraint
from ..scene.meshes import coordinates
from ..scene.own_properties import face_of
from ..scene.shape_keys import MARK as KEYS_MARK
from ..scene.shape_keys import marked
from . import actions, bone_actions, nla, part_drivers, property_values
from .shape_keys import MAX_SLIDER
from .strip_state import StripState, action_use, identity, play

BACKUP = "LSF backup"  # name of an Action's copy while the line is written

Constraints = bpy.types.ObjectConstraints | bpy.types.PoseBoneConstraints


@contextmanager
def on_error(objects: list[bpy.types.Object], target: bpy.types.Object | None, bone: str) -> Iterator[None]:
    """Undo what is written inside the context if it raises an error; the error is raised on.

    Args:
        objects: The character's objects, the head first.
        target: The object that gets the head motion; None for no head motion.
        bone: Name of its bone; empty where the target is no armature.
    """
    face = face_of(objects[0])
    properties = property_values.read(face)
    meshes = [_Mesh(obj) for obj in objects]
    motion, posed = _HeadMotion(target, bone), _Bones(objects[0])
    del properties["bones"]["action"]  # an Action may be replaced by its copy: see _Bones
    copies = _Actions({action for mesh in meshes for action in mesh.generated} | motion.actions | posed.actions)
    with ExitStack() as undo:  # calls the last one first, and all of them, even if one of them raises an error
        undo.callback(property_values.restore, face, properties)
        for mesh in meshes:  # the head is restored last: drivers of the parts refer to its keys
            undo.callback(mesh.restore)
        undo.callback(posed.restore)
        undo.callback(copies.restore)
        undo.callback(motion.restore)
        yield
        undo.pop_all()
    copies.discard()


@contextmanager
def of_head(head: bpy.types.Object) -> Iterator[None]:
    """Undo what is written on a head, the parts in its list and its head motion, as `on_error` does.

    References to Actions and lines are invalid after an error.
    """
    nod = face_of(head).nod
    target = nod.object
    if target is not None and target.type == "ARMATURE" and nod.bone not in target.pose.bones:
        target = None
    if not isinstance(head.data, bpy.types.Mesh):
        yield
        return
    with on_error([head, *(part for part in listed_parts(head) if part.type == "MESH")], target, nod.bone):
        yield


class _Actions:
    """Which Actions there are, and copies of those that may be changed."""

    def __init__(self, changeable: Iterable[bpy.types.Action]) -> None:
        self.names = {identity(action) for action in bpy.data.actions}
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
            if identity(action) not in self.names:
                bpy.data.actions.remove(action)
        for name, copy in self.copies.items():
            original = next((action for action in bpy.data.actions if identity(action) == (name, "")), None)
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
        self.objects = {identity(obj) for obj in bpy.data.objects} if target else set()
        found = find_constraint(target, bone)
        self.empty = found.target if found else None
        data = self.empty.animation_data if self.empty else None
        self.use = action_use(data) if data else None
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
        for obj in [obj for obj in bpy.data.objects if identity(obj) not in self.objects]:
            bpy.data.objects.remove(obj)
        data = self.empty.animation_data if self.empty else None
        if self.empty is None or data is None:
            return
        if self.use is None:
            self.empty.animation_data_clear()
        else:
            play(data, self.use)

    def _constraints(self) -> Constraints | tuple[()]:
        """Return the constraints of the bone or the object; none without a target."""
        if self.target is None:
            return ()
        return (self.target.pose.bones[self.bone] if self.target.type == "ARMATURE" else self.target).constraints


class _Bones:
    """The bones that channels move, and what animates their armature."""

    def __init__(self, head: bpy.types.Object) -> None:
        self.head, self.armature = head, bones.armature_of(head)
        pointed, action = bones.settings(head).action, bone_actions.existing(head)
        self.pointed = identity(pointed) if pointed else None
        self.actions = {action} if action else set()
        self.poses = [bones.read(bone) for bone in self.armature.pose.bones] if self.armature else []
        data = self.armature.animation_data if self.armature else None
        self.animation = _Animation(data) if data else None
        self.blend = data.action_blend_type if data else ""

    def restore(self) -> None:
        """Let the armature play what it played, with its bones as they stood."""
        found = next((action for action in bpy.data.actions if identity(action) == self.pointed), None)
        bones.settings(self.head).action = found
        if self.armature is None:
            return
        data = self.armature.animation_data
        if self.animation is None:
            self.armature.animation_data_clear()
        elif data is not None:
            self.animation.restore(data)
            data.action_blend_type = self.blend  # type: ignore[assignment]  # it was read there
        for pose in self.poses:
            bones.write(self.armature.pose.bones[pose.bone], pose)
        self.armature.update_tag()


class _Mesh:
    """The shape keys of an object, and what animates them."""

    def __init__(self, obj: bpy.types.Object) -> None:
        self.mesh = mesh_of(obj)
        keys, data = self.mesh.shape_keys, key_animation(self.mesh)
        blocks = keys.key_blocks if keys else ()
        self.object, self.active = obj, obj.active_shape_key_index
        self.sliders = {key.name: (key.slider_min, key.slider_max, key.value) for key in blocks}
        self.mark = stored.plain(keys.get(KEYS_MARK)) if keys else None
        self.shapes = {key.name: coordinates(key.points) for key in blocks if key.name in marked(self.mesh)}
        self.animation = _Animation(data) if data else None
        action = actions.existing(self.mesh)
        pointed = keys.get(actions.POINTER) if keys else None
        self.pointed = identity(pointed) if isinstance(pointed, bpy.types.Action) else None
        self.generated = {action} if action else set()
        self.generated |= {rest for rest in (nla.actions(data) if data else ()) if actions.is_rest(rest)}

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
        pointed = next((action for action in bpy.data.actions if identity(action) == self.pointed), None)
        _set_property(keys, KEYS_MARK, self.mark)
        _set_property(keys, actions.POINTER, pointed)
        keys.update_tag()
        self.mesh.update_tag()


def _set_property(keys: bpy.types.Key, name: str, value: Any) -> None:
    """Set a custom property of shape keys, or remove it if there was none."""
    if value is None:
        keys.pop(name, None)
    else:
        keys[name] = value


class _Animation:
    """The animation data of shape keys: the active Action, NLA tracks, drivers."""

    def __init__(self, data: bpy.types.AnimData) -> None:
        self.use = action_use(data)
        self.tracks = [
            (property_values.read(track), [StripState(strip) for strip in track.strips]) for track in data.nla_tracks
        ]
        self.active = next((i for i, track in enumerate(data.nla_tracks) if track == data.nla_tracks.active), None)
        self.drivers = {curve.data_path for curve in data.drivers}
        self.sources = {path: (target.id, target.data_path) for path, target in part_drivers.targets(data).items()}

    def restore(self, data: bpy.types.AnimData) -> None:
        """Set everything back to what was recorded."""
        for curve in [curve for curve in data.drivers if curve.data_path not in self.drivers]:
            data.drivers.remove(curve)
        for path, target in part_drivers.targets(data).items():
            target.id, target.data_path = self.sources[path]
        # A track is only a place in the stack: which of them are new does not matter, as all get their strips back.
        for track in list(data.nla_tracks)[len(self.tracks) :]:
            data.nla_tracks.remove(track)
        while len(data.nla_tracks) < len(self.tracks):
            data.nla_tracks.new()
        recorded = list(zip(data.nla_tracks, self.tracks, strict=True))
        missing = [_remove_changed_strips(track, strips) for track, (_values, strips) in recorded]
        for (track, _recorded), states in zip(recorded, missing, strict=True):
            for state in states:
                state.add_to(track)
        for _ in range(2):  # Blender numbers a name that another track still has
            for track, (values, _strips) in recorded:
                property_values.restore(track, values)
        play(data, self.use)
        data.nla_tracks.active = None if self.active is None else data.nla_tracks[self.active]


def _remove_changed_strips(track: bpy.types.NlaTrack, recorded: list[StripState]) -> list[StripState]:
    """Remove the strips that are not as they were, and return those that are missing."""
    missing = list(recorded)
    for strip in list(track.strips):
        same = next((state for state in missing if state.is_same(strip)), None)
        if same is None:
            track.strips.remove(strip)
        else:
            missing.remove(same)
    return missing
