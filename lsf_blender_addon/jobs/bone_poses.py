"""Sets, shows and forgets the poses in which bones show a channel."""

import json

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from .. import compat
from ..animation import bone_actions, bone_curves, lines
from ..errors import UserError
from ..rigs import face_bones, families
from ..scene import bones, rig
from ..scene.access import active_scene, mesh_of
from ..scene.findings import Finding, FoundFace
from ..scene.snapshots import BonePose, BoneRest

MOST_NAMES = 4  # of bones in a sentence


def set_pose(context: bpy.types.Context, head: bpy.types.Object, channel: str) -> str:
    """Keep the pose of the armature as that in which a channel is 1, and let its bones go back to rest.

    Bones count that are selected and posed; where there are none, all posed bones.

    Args:
        context: Tells the frame.
        head: The head.
        channel: The channel.

    Returns:
        A sentence for the artist.

    Raises:
        UserError: No armature or no such channel was chosen, or no bone is posed, or a driver moves it.
    """
    armature = bones.require_armature(head)
    if channel not in families.channels():
        raise UserError("Choose the channel that your pose shows at its full value, as jawOpen")
    now = {bone.name: bones.read(bone) for bone in armature.pose.bones}
    posed = [bone.name for bone in armature.pose.bones]
    rests = {rest.bone: rest for rest in bone_actions.resting(head, posed)}
    by_others = bone_actions.moved_by_others(head)
    animated = [bone for bone in armature.pose.bones if bone.name in by_others]
    by_lines = bone_actions.moved_by_lines(head) & now.keys()
    if animated or by_lines:  # a new evaluation of the frame brings back what animation does to bones
        scene = active_scene(context)
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        rests |= {bone.name: bones.read(bone) for bone in animated}  # a pose of the artist's Action is rest, too
    spoken = {name: bones.read(armature.pose.bones[name]) for name in by_lines}
    posed = [name for name in posed if name not in spoken or bones.difference("", now[name], spoken[name])]
    found = [pose for name in posed if (pose := bones.difference(channel, now[name], rests[name])) is not None]
    chosen = [pose for pose in found if compat.is_bone_selected(armature.pose.bones[pose.bone])] or found
    if not chosen:
        for name, stands in now.items():
            bones.write(armature.pose.bones[name], stands)
        raise UserError(
            f'No bone of "{armature.name}" is posed: pose those that {channel} moves as far as it does at 1'
        )
    driven = bones.driven(armature)
    for row in chosen:
        names = {name for name, _property, _index in bones.component_names(armature.pose.bones[row.bone])}
        if names & driven:
            raise UserError(
                f'A driver moves the bone "{row.bone}" and would overrule the curves: pose the bone that '
                "the driver reads instead"
            )
    hide(head)
    for row in chosen:
        bones.write(armature.pose.bones[row.bone], rests[row.bone])
    bones.store(head, channel, chosen)
    _changed(head, armature)
    return iface("{channel} moves {bones} now; generated lines follow").format(
        channel=channel, bones=listed([row.bone for row in chosen])
    )


def store_poses(head: bpy.types.Object, poses: list[BonePose]) -> None:
    """Replace the poses of the channels of some poses."""
    armature = bones.require_armature(head)
    hide(head)
    for channel in dict.fromkeys(pose.channel for pose in poses):
        bones.store(head, channel, [pose for pose in poses if pose.channel == channel])
    _changed(head, armature)


def clear(head: bpy.types.Object, channel: str) -> None:
    """Forget the pose of a channel: shape keys show it from the next Generate on."""
    hide(head)
    bones.clear(head, channel)
    _changed(head, bones.armature_of(head))


def show(head: bpy.types.Object, channel: str) -> None:
    """Show the bones as they are where a channel is 1; `hide` lets them stand as before.

    Raises:
        UserError: No armature was chosen.
    """
    armature = bones.require_armature(head)
    hide(head)
    poses = [pose for pose in bones.poses(head) if pose.channel == channel]
    rests = bone_actions.resting(head, dict.fromkeys(pose.bone for pose in poses))
    values = posed(poses, rests)
    settings = bones.settings(head)
    kept = {
        name: float(getattr(bone, prop)[index])
        for bone in armature.pose.bones
        for name, prop, index in bones.component_names(bone)
        if name in values
    }
    settings.kept, settings.shown = json.dumps(kept), channel
    bone_actions.set_values(armature, values)
    armature.update_tag()


def hide(head: bpy.types.Object) -> None:
    """Let the bones stand as before a pose was shown, if one is."""
    settings, armature = bones.settings(head), bones.armature_of(head)
    if settings.shown and armature is not None:
        bone_actions.set_values(armature, bones.kept(head))
        armature.update_tag()
    settings.shown = settings.kept = ""


def posed(poses: list[BonePose], rests: list[BoneRest]) -> dict[str, float]:
    """The numbers of bones' transforms where a channel is 1, by the names of their curves.

    Args:
        poses: The poses of this channel.
        rests: The bones at rest.
    """
    channels = list(dict.fromkeys(pose.channel for pose in poses))
    one, no_lips = np.ones((1, len(channels))), np.zeros((len(channels), 0, 3))
    made = bone_curves.make(poses, rests, channels, one, no_lips)
    return {
        bone_actions.name_of(component): component.rest + component.unit * float(value)
        for component, value in zip(made.components, made.values[0], strict=True)
    }


def listed(names: list[str]) -> str:
    """The first names, and how many there are besides."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" + {more}" if more > 0 else "")


def check(head: bpy.types.Object, _face: FoundFace | None) -> list[Finding]:
    """Find what Check Character says of the bones that channels move."""
    channels, gone = bones.channels(head), bones.missing(head)
    found: list[Finding] = []
    if gone:
        text = iface("Bones that channels should move are gone or were renamed: {bones}")
        found.append(Finding("FAULT", text.format(bones=listed(gone))))
    if not channels:
        return found or _offered(head)
    held = bones.held(head)
    if held["driver"]:
        text = iface("Drivers move these bones, so that channels cannot: {bones}")
        found.append(Finding("FAULT", text.format(bones=listed(held["driver"]))))
    elif overruled := bone_actions.overruled(head):
        text = iface(
            "Your own Action decides over these bones: push it down to the NLA, so that lines add to it: {bones}"
        )
        found.append(Finding("FAULT", text.format(bones=listed(overruled))))
    elif held["constraint"]:
        text = iface("Constraints may hold these bones back: {bones}")
        found.append(Finding("NOTE", text.format(bones=listed(held["constraint"]))))
    text = iface("Bones show {channels}; shape keys show the other channels")
    return [*found, Finding("OK", text.format(channels=listed(list(channels))))]


def _offered(head: bpy.types.Object) -> list[Finding]:
    """Offer bones that look like those of a face, where neither a key nor a bone opens the mouth."""
    armature, mapping = bones.armature_of(head) or bones.deforming_armature(head), rig.mapping_of(head)
    by_key = mapping is not None and any(row.channel == "jawOpen" or row.key in mapping.solved for row in mapping.rows)
    if armature is None or by_key or not face_bones.has_face([bone.name for bone in armature.pose.bones]):
        return []
    text = iface('"{armature}" has bones of a face, which channels can move').format(armature=armature.name)
    return [Finding("NOTE", text, "lsf.recognise_bones")]


def _changed(head: bpy.types.Object, armature: bpy.types.Object | None) -> None:
    """Bring lines and the shown pose up to date, after poses have changed."""
    lines.refresh_all(mesh_of(head))
    if armature is not None:
        armature.update_tag()
