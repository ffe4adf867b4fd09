"""The sliders of a line, kept with its Action. Each writes the Action's curves again at once."""

import bpy

from ...animation import refresh


def _changed(group: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    refresh.refresh(group.id_data)


def _gain(name: str, what: str):
    return bpy.props.FloatProperty(
        name=name,
        description=f"How strongly {what} moves. 1 is as it was predicted",
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
        description="Keep this channel at 0 in this line. Keys that you set by hand stay",
        options=set(),
        update=_changed,
    )


class LSF_PG_tweaks(bpy.types.PropertyGroup):
    density: bpy.props.FloatProperty(
        name="Key Density",
        description="From few keys, easy to edit, to a key on every frame. At a half, the "
        "difference to the prediction cannot be seen",
        default=refresh.DENSITY,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    jaw: _gain("Jaw", "the jaw")
    lips: _gain("Lips", "everything that the lips do")
    cheeks: _gain("Cheeks", "what cheeks and nose do")
    brows: _gain("Brows", "the forehead with its brows")
    lids: _gain("Lids", "what the eyelids do with speech; blinks are a layer of their own")
    smile: bpy.props.FloatProperty(
        name="Smile",
        description="Adds a smile to the whole line, or, below 0, a frown",
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
        description="How strongly the feeling in the voice shows. 1 is as it was predicted, 0 is speech alone",
        default=1.0,
        min=0.0,
        max=3.0,
        soft_max=2.0,
        options=set(),
        update=_changed,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="Calms the motion, over about this many frames. Lips that meet still meet",
        default=0.0,
        min=0.0,
        max=20.0,
        soft_max=5.0,
        options=set(),
        update=_changed,
    )
    closure: bpy.props.FloatProperty(
        name="Lip Closure",
        description="Presses the lips together where they come near to each other. 0 is as it was predicted",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    offset: bpy.props.IntProperty(
        name="Time Offset",
        description="Frames by which the face moves later than the sound, or, below 0, earlier. "
        "Keys that you set by hand stay where they are",
        default=0,
        soft_min=-12,
        soft_max=12,
        options=set(),
        update=_changed,
    )
    channels: bpy.props.CollectionProperty(name="Channels", type=LSF_PG_channel)
    active_channel: bpy.props.IntProperty(name="Active Channel", options={"HIDDEN"})

    SLIDERS = ("jaw", "lips", "cheeks", "brows", "lids", "smile", "emotion", "smoothing", "closure", "offset")

    def is_changed(self) -> bool:
        """Whether anything but the density is not as it was predicted."""
        return any(getattr(self, name) != self.bl_rna.properties[name].default for name in self.SLIDERS) or any(
            channel.muted for channel in self.channels
        )

    def reset(self) -> None:
        """Everything but the density as it was predicted."""
        for name in self.SLIDERS:
            self.property_unset(name)
        for channel in self.channels:
            channel.property_unset("muted")
