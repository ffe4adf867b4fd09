"""Every difference between Blender 4.2 and 5.2, found by feature test; nothing else in the add-on asks for versions."""

from typing import NamedTuple

import bpy

# Sequencer


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer is shown: since 5.0 it may differ from the active scene."""
    return getattr(context, "sequencer_scene", None) or context.scene


def all_strips(editor: bpy.types.SequenceEditor) -> list:
    """Every strip, those inside metas too."""
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def strips_of(parent) -> list:
    """The strips directly inside an editor or a meta strip."""
    return list(parent.strips if hasattr(parent, "strips") else parent.sequences)


def remove_strip(editor: bpy.types.SequenceEditor, strip) -> None:
    (editor.strips if hasattr(editor, "strips") else editor.sequences).remove(strip)


class StripTimes(NamedTuple):
    """Of a strip, in frames of its scene."""

    content_start: float  # where the untrimmed content would start
    left: float  # handles
    right: float
    content_length: float
    skipped: float  # frames of the content that are cut away before content_start ("hold offset")
    left_trim: float  # from content_start to the left handle
    right_trim: float  # from the right handle to the content's end


def strip_times(strip) -> StripTimes:
    if hasattr(strip, "content_start"):
        return StripTimes(
            strip.content_start,
            strip.left_handle,
            strip.right_handle,
            strip.content_duration,
            strip.content_trim_start,
            strip.left_handle_offset,
            strip.right_handle_offset,
        )
    return StripTimes(
        strip.frame_start,
        strip.frame_final_start,
        strip.frame_final_end,
        strip.frame_duration,
        strip.animation_offset_start,
        strip.frame_offset_start,
        strip.frame_offset_end,
    )


def channel_name(scene: bpy.types.Scene, strip) -> str:
    """Name of the strip's channel, of the meta's that holds it where it lies in one."""
    for parent in all_strips(scene.sequence_editor):
        if parent.type == "META" and strip.name in {inner.name for inner in strips_of(parent)}:
            return parent.channels[strip.channel].name
    return scene.sequence_editor.channels[strip.channel].name


def sound_offset(strip) -> float:
    """Seconds that the sound is delayed inside its strip (since 4.4)."""
    return getattr(strip, "sound_offset", 0.0)


def retiming_key_count(strip) -> int:
    """Keys of a retimed strip; 4.2 does not tell for sound strips, there only the length gives it away."""
    return len(strip.retiming_keys) if hasattr(strip, "retiming_keys") else 0


# Shape keys


def shape_key_default() -> float:
    """What the NLA sets a shape key to where no strip covers the frame: 1 instead of 0 in 5.0."""
    return bpy.types.ShapeKey.bl_rna.properties["value"].default


# Output


def set_video_format(settings: bpy.types.ImageFormatSettings) -> None:
    """Let renders be written as films."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"


# Actions: since 4.4 an Action has slots; since 5.0 only these


def has_slots() -> bool:
    return "slots" in bpy.types.Action.bl_rna.properties


def key_fcurves(action: bpy.types.Action):
    """The Action's collection of F-curves for a Key (shape keys) data-block, made if it is not there."""
    return _fcurves_for(action, "KEY")


def object_fcurves(action: bpy.types.Action):
    """The Action's collection of F-curves for an object, made if it is not there."""
    return _fcurves_for(action, "OBJECT")


def _fcurves_for(action: bpy.types.Action, id_type: str):
    if not has_slots():
        action.id_root = id_type
        return action.fcurves
    slot = _slot_for(action, id_type) or action.slots.new(id_type=id_type, name="LSF")
    layer = action.layers[0] if len(action.layers) else action.layers.new("LSF")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def fcurves_of(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The F-curves of an Action, whatever it animates."""
    if not has_slots():
        return list(action.fcurves)
    return [
        fcurve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for fcurve in bag.fcurves
    ]


def active_fcurves(data: bpy.types.AnimData) -> list[bpy.types.FCurve]:
    """Those F-curves of the active Action that animate the owner of `data`."""
    if not has_slots():
        return list(data.action.fcurves)
    slot = data.action_slot
    return [
        fcurve
        for layer in data.action.layers
        for strip in layer.strips
        if slot and (bag := strip.channelbag(slot))
        for fcurve in bag.fcurves
    ]


def key_slot(action: bpy.types.Action):
    """The slot for shape keys, or None."""
    return _slot_for(action, "KEY")


def _slot_for(action: bpy.types.Action, id_type: str):
    return next((slot for slot in action.slots if slot.target_id_type in {id_type, "UNSPECIFIED"}), None)


def assign_key_action(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Make the Action the active one of shape keys."""
    data.action = action
    assign_slot(data, action)


def assign_object_action(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Make the Action the active one of an object."""
    data.action = action
    if has_slots():
        data.action_slot = _slot_for(action, "OBJECT")


def assign_slot(user: bpy.types.AnimData | bpy.types.NlaStrip, action: bpy.types.Action) -> None:
    """Tell a user of the Action to play its slot for shape keys."""
    if has_slots():
        user.action_slot = key_slot(action)
