"""Every difference between Blender 4.2 and 5.2, found by feature test; nothing else in the add-on asks for versions."""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

from typing import Any, NamedTuple, TypeGuard

import bpy
import numpy as np
from numpy.typing import NDArray


def _first_attribute(owner: object, *names: str) -> Any:
    """Value of the first of these attributes that the owner has: Blender renamed it between versions."""
    name = next(name for name in names if hasattr(owner, name))
    return getattr(owner, name)


# Sequencer: `sequences` became `strips` in 4.4


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer is shown: since 5.0 it may differ from the active scene."""
    scene = getattr(context, "sequencer_scene", None) or context.scene
    assert scene is not None  # it is set wherever the add-on runs
    return scene


def ensure_sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer is shown. Since 5.0 a workspace may show none: then it gets the active scene."""
    workspace: Any = context.workspace
    if workspace is not None and hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
        workspace.sequencer_scene = context.scene
    return sequencer_scene(context)


def add_sound_strip(
    editor: bpy.types.SequenceEditor, name: str, path: str, channel: int, frame: int
) -> bpy.types.SoundStrip:
    """Add a sound strip at the top level of an editor: `sequences` before 4.4."""
    strip: bpy.types.SoundStrip = _first_attribute(editor, "strips", "sequences").new_sound(name, path, channel, frame)
    return strip


def all_strips(editor: bpy.types.SequenceEditor) -> list[bpy.types.Strip]:
    """Every strip, including those inside meta strips: `sequences_all` before 4.4."""
    return list(_first_attribute(editor, "strips_all", "sequences_all"))


def strips_of(parent: bpy.types.SequenceEditor | bpy.types.MetaStrip) -> list[bpy.types.Strip]:
    """The strips directly inside an editor or a meta strip: `sequences` before 4.4."""
    return list(_first_attribute(parent, "strips", "sequences"))


def remove_strip(editor: bpy.types.SequenceEditor, strip: bpy.types.Strip) -> None:
    """Delete a strip at the top level of an editor: `sequences` before 4.4."""
    _first_attribute(editor, "strips", "sequences").remove(strip)


def is_meta(strip: bpy.types.Strip) -> TypeGuard[bpy.types.MetaStrip]:
    """Whether a strip holds others: a `MetaStrip`, `MetaSequence` before 4.4."""
    return strip.type == "META"


def is_sound(strip: bpy.types.Strip) -> TypeGuard[bpy.types.SoundStrip]:
    """Whether a strip plays a sound: a `SoundStrip`, `SoundSequence` before 4.4."""
    return strip.type == "SOUND"


class StripTimes(NamedTuple):
    """When a strip plays what, in frames of its scene."""

    content_start: float  # where the untrimmed content would start
    left: float  # handles
    right: float
    content_length: float
    skipped: float  # frames of the content that are cut away before content_start ("hold offset")
    left_trim: float  # from content_start to the left handle
    right_trim: float  # from the right handle to the content's end


def strip_times(strip: bpy.types.Strip) -> StripTimes:
    """The times of a strip; their properties got new names after 5.0."""
    if hasattr(strip, "content_start"):
        names = (
            "content_start", "left_handle", "right_handle", "content_duration", "content_trim_start",
            "left_handle_offset", "right_handle_offset",
        )  # fmt: skip
    else:
        names = (
            "frame_start", "frame_final_start", "frame_final_end", "frame_duration", "animation_offset_start",
            "frame_offset_start", "frame_offset_end",
        )  # fmt: skip
    return StripTimes(*(getattr(strip, name) for name in names))


def channel_name(scene: bpy.types.Scene, strip: bpy.types.Strip) -> str:
    """Name of a strip's channel: one of its meta strip, if it lies in one, else one of the scene."""
    editor: Any = scene.sequence_editor
    for parent in all_strips(editor):
        if is_meta(parent) and strip.name in {inner.name for inner in strips_of(parent)}:
            return parent.channels[strip.channel].name
    return editor.channels[strip.channel].name


def sound_offset(strip: bpy.types.Strip) -> float:
    """Seconds by which the sound is delayed inside its strip; before 4.4 there is no such delay."""
    return getattr(strip, "sound_offset", 0.0)


def retiming_key_count(strip: bpy.types.Strip) -> int:
    """Number of retiming keys of a strip; 0 in 4.2, which does not tell for sound strips."""
    return len(strip.retiming_keys) if hasattr(strip, "retiming_keys") else 0


# Meshes


def corner_vertices(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """(L,) vertices of the corners of all faces; by the attribute a hundred times faster than by `loops`."""
    attribute: Any = mesh.attributes.get(".corner_vert")
    values = np.empty(len(mesh.loops), np.int32)
    if attribute is not None:
        attribute.data.foreach_get("value", values)
    else:
        mesh.loops.foreach_get("vertex_index", values)
    return values


# Shape keys


def shape_key_default() -> float:
    """The value that the NLA gives a shape key where no strip covers the frame: 0 before 5.0, 1 since."""
    return bpy.types.ShapeKey.bl_rna.properties["value"].default  # type: ignore[attr-defined]  # a FloatProperty


# Bones


def is_bone_selected(bone: Any) -> bool:
    """Whether a pose bone is selected: the selection moved from the bone to its pose in 5.0."""
    return bool(bone.select if hasattr(bone, "select") else bone.bone.select)


# Online access


def online_access_switch() -> bpy.types.PreferencesSystem | None:
    """The preferences with `use_online_access`, if the artist can change it: not if Blender was started offline."""
    system = bpy.context.preferences.system
    is_fixed = getattr(bpy.app, "online_access_override", False)
    return system if hasattr(system, "use_online_access") and not is_fixed else None


# Output


def set_video_format(settings: bpy.types.ImageFormatSettings) -> None:
    """Write renders as a video; since 5.0 the media type must be chosen before the format."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"


# Actions: F-curves lie in the Action itself before 4.4; since then in channel bags, one per slot; since 5.0 only there


def has_slots() -> bool:
    """Whether Actions have slots: since 4.4."""
    return "slots" in bpy.types.Action.bl_rna.properties


def key_fcurves(action: bpy.types.Action) -> bpy.types.ActionChannelbagFCurves:
    """The Action's F-curves for a Key data-block (shape keys); what leads to them is made where it is missing."""
    return _fcurves_for(action, "KEY")


def object_fcurves(action: bpy.types.Action) -> bpy.types.ActionChannelbagFCurves:
    """The Action's F-curves for an object; what leads to them is made where it is missing."""
    return _fcurves_for(action, "OBJECT")


def _fcurves_for(action: Any, id_type: str) -> bpy.types.ActionChannelbagFCurves:
    """The F-curves for one type of data-block; slot, layer and strip are made where they are missing.

    `action` is an Action of any version: no single stub fits it.
    """
    if not has_slots():
        action.id_root = id_type
        return action.fcurves
    slot = _slot_for(action, id_type) or action.slots.new(id_type=id_type, name="LSF")
    layer = action.layers[0] if len(action.layers) else action.layers.new("LSF")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def system_properties(block: Any) -> Any:
    """What a data-block keeps of registered properties, by their names; among its custom properties before 5.0."""
    return block.bl_system_properties_get() or {} if hasattr(block, "bl_system_properties_get") else block


def set_enum_number(block: Any, name: str, number: int) -> None:
    """Choose an item of a registered enum by its number, though the enum may not offer it in the context of now."""
    kept = block.bl_system_properties_get(do_create=True) if hasattr(block, "bl_system_properties_get") else block
    kept[name] = number


def fcurves_of(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves of an Action, whatever it animates: those of all slots since 4.4."""
    if not has_slots():
        return list(_legacy_fcurves(action))
    return [fcurve for strip in _keyframe_strips(action) for bag in strip.channelbags for fcurve in bag.fcurves]


def fcurves_of_keys(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves of an Action in its first slot for shape keys; all of them before 4.4."""
    return _fcurves_of_type(action, "KEY")


def fcurves_of_object(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves of an Action in its first slot for an object; all of them before 4.4."""
    return _fcurves_of_type(action, "OBJECT")


def _fcurves_of_type(action: bpy.types.Action, id_type: str) -> list[bpy.types.FCurve]:
    """The F-curves of an Action in its first slot for one type of data-block; all of them before 4.4."""
    if not has_slots():
        return list(_legacy_fcurves(action))
    slot = _slot_for(action, id_type)
    bags = (strip.channelbag(slot) for strip in _keyframe_strips(action)) if slot else ()
    return [fcurve for bag in bags if bag for fcurve in bag.fcurves]


def played_fcurves(user: bpy.types.AnimData | bpy.types.NlaStrip) -> list[bpy.types.FCurve]:
    """The F-curves that the active Action or a strip plays: those of its slot since 4.4; none without an Action."""
    if user.action is None:
        return []
    if not has_slots():
        return list(_legacy_fcurves(user.action))
    slot = user.action_slot
    return [
        fcurve
        for strip in _keyframe_strips(user.action)
        if slot and (bag := strip.channelbag(slot))
        for fcurve in bag.fcurves
    ]


def _legacy_fcurves(action: Any) -> Any:
    """`Action.fcurves`, which the stubs of 5.0 and later do not know."""
    return action.fcurves


def _keyframe_strips(action: Any) -> list[bpy.types.ActionKeyframeStrip]:
    """All strips of an Action's layers; Blender has no other type than keyframe strips so far."""
    return [strip for layer in action.layers for strip in layer.strips]


def key_slot(action: bpy.types.Action) -> bpy.types.ActionSlot | None:
    """The slot for shape keys, or None. Only for versions with slots, see `has_slots`."""
    return _slot_for(action, "KEY")


def _slot_for(action: bpy.types.Action, id_type: str) -> bpy.types.ActionSlot | None:
    """The first slot that a data-block of this type can use."""
    return next((slot for slot in action.slots if slot.target_id_type in {id_type, "UNSPECIFIED"}), None)


def plays_first_key_slot(user: bpy.types.AnimData | bpy.types.NlaStrip) -> bool:
    """Whether a user of an Action plays its first slot for shape keys; always before 4.4."""
    return not has_slots() or user.action is None or user.action_slot == key_slot(user.action)


def own_key_slot(data: bpy.types.AnimData, action: bpy.types.Action, name: str) -> bpy.types.ActionChannelbagFCurves:
    """Let the owner of `data`, shape keys, play the Action with a slot of its own; only for versions with slots.

    Args:
        data: Animation data of the shape keys.
        action: The Action, whose first slot is that of other shape keys.
        name: Name of a new slot.

    Returns:
        The F-curves of the slot.
    """
    slots: Any = action.slots
    used = data.action_slot if data.action == action and not plays_first_key_slot(data) else None
    slot = used or slots.new(id_type="KEY", name=name)
    data.action = action
    data.action_slot = slot
    return _keyframe_strips(action)[0].channelbag(slot, ensure=True).fcurves


def assign_key_action(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Make the Action the active one of shape keys, with its slot for them since 4.4."""
    data.action = action
    assign_slot(data, action)


def assign_object_action(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Make the Action the active one of an object, with its slot for objects since 4.4."""
    data.action = action
    assign_slot(data, action, "OBJECT")


def assign_slot(user: bpy.types.AnimData | bpy.types.NlaStrip, action: bpy.types.Action, id_type: str = "KEY") -> None:
    """Make a user of the Action play its slot for shape keys, or for an object; does nothing before 4.4."""
    if has_slots():
        user.action_slot = _slot_for(action, id_type)
