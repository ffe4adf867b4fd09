"""The sliders of a line, stored in its head's Action. A change of a slider writes the line's curves again."""

import re
from typing import Any

import bpy

from ...animation import line_curves, lines
from ...client.wire import EYE_VARIANTS
from ...scene.own_properties import lines_of

INDEX = re.compile(r"lines\[(\d+)\]")  # of the line, in a property's path


def _changed(group: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Write the curves of the line that owns the changed property again."""
    action, index = group.id_data, INDEX.search(group.path_from_id())
    if isinstance(action, bpy.types.Action) and index is not None:
        lines.refresh(action, lines_of(action)[int(index[1])])


def _gain(name: str, motion: str) -> Any:  # the stubs have no type for a deferred property
    """Return the property of a factor for a part of the motion."""
    return bpy.props.FloatProperty(
        name=name,
        description=f"Strength of {motion}. 1 is as predicted",
        default=1.0,
        min=0.0,
        max=3.0,
        soft_max=2.0,
        options=set(),
        update=_changed,
    )


class LSF_PG_channel(bpy.types.PropertyGroup):
    muted: bpy.props.BoolProperty(
        name="Mute",
        description="Keep this channel at 0 in this line. Keys that you set by hand are kept",
        options=set(),
        update=_changed,
    )


class LSF_PG_tweaks(bpy.types.PropertyGroup):
    density: bpy.props.FloatProperty(
        name="Key Density",
        description="From few keys, which are easy to edit, to a key on every frame. At 0.5 there is no visible "
        "difference from the prediction",
        default=line_curves.DENSITY,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    jaw: _gain("Jaw", "the jaw motion")
    lips: _gain("Lips", "the lip motion")
    cheeks: _gain("Cheeks", "the cheek and nose motion")
    brows: _gain("Brows", "the brow and forehead motion")
    lids: _gain("Lids", "the eyelid motion that comes with speech, without blinks")
    smile: bpy.props.FloatProperty(
        name="Smile",
        description="Add a smile to the whole line, or a frown with values below 0",
        default=0.0,
        min=-1.0,
        max=1.0,
        soft_min=-0.5,
        soft_max=0.5,
        options=set(),
        update=_changed,
    )
    emotion: bpy.props.FloatProperty(
        name="Emotion",
        description="Strength of the emotion. 1 is as predicted, 0 is speech only",
        default=1.0,
        min=0.0,
        max=3.0,
        soft_max=2.0,
        options=set(),
        update=_changed,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="Smooth the motion over about this many frames. Closed lips stay closed",
        default=0.0,
        min=0.0,
        max=20.0,
        soft_max=5.0,
        options=set(),
        update=_changed,
    )
    closure: bpy.props.FloatProperty(
        name="Lip Closure",
        description="Press the lips together where they nearly touch. 0 is as predicted",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    offset: bpy.props.IntProperty(
        name="Time Offset",
        description="Delay of the face relative to the sound, in frames. Values below 0 move it earlier. "
        "Keys that you set by hand stay in place",
        default=0,
        soft_min=-12,
        soft_max=12,
        options=set(),
        update=_changed,
    )
    blinks: bpy.props.FloatProperty(
        name="Blinks",
        description="How far the blinks of this line close the lids. 0 takes them out",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    gaze: bpy.props.FloatProperty(
        name="Gaze",
        description="Strength of the eye movements of this line. 0 takes them out",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_max=1.5,
        options=set(),
        update=_changed,
    )
    variant: bpy.props.IntProperty(
        name="Variant",
        description="Other blinks and eye movements for the same line",
        default=0,
        min=0,
        max=EYE_VARIANTS - 1,
        options=set(),
        update=_changed,
    )
    channels: bpy.props.CollectionProperty(name="Channels", type=LSF_PG_channel)
    active_channel: bpy.props.IntProperty(name="Active Channel", options={"HIDDEN"})

    SLIDERS = (
        *("jaw", "lips", "cheeks", "brows", "lids", "smile", "emotion", "smoothing", "closure", "offset"),
        *("blinks", "gaze", "variant"),
    )

    def is_changed(self) -> bool:
        """Return whether any slider except Key Density differs from its default, or a channel is muted."""
        properties: Any = self.bl_rna.properties  # the stubs know a default only of number properties
        changed = any(getattr(self, name) != properties[name].default for name in self.SLIDERS)
        return changed or any(channel.muted for channel in self.channels)

    def reset(self) -> None:
        """Set every slider except Key Density to its default, and unmute all channels."""
        for name in self.SLIDERS:
            self.property_unset(name)
        for channel in self.channels:
            channel.property_unset("muted")
