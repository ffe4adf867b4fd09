"""The lines of a head, stored in its generated Action: what each line was made from, and its sliders."""

import bpy

from .sounds import LSF_PG_sound, LSF_PG_word, show_active
from .tweaks import LSF_PG_tweaks


class LSF_PG_line(bpy.types.PropertyGroup):
    """A line. Its inherited `name` is that of the strip, or of the recording's file."""

    # None of these is drawn by its name.
    uid: bpy.props.StringProperty(options={"HIDDEN"})  # of the strip, or one of its own
    kind: bpy.props.EnumProperty(
        items=(("SPEECH", "Speech", "Generated"), ("RECORDING", "Recording", "Imported")), options={"HIDDEN"}
    )
    scene: bpy.props.StringProperty(options={"HIDDEN"})  # name of the strip's scene
    sound: bpy.props.StringProperty(options={"HIDDEN"})  # name of the sound file
    fps: bpy.props.FloatProperty(default=24.0, min=0.01, options={"HIDDEN"})  # of the scene
    first_frame: bpy.props.IntProperty(options={"HIDDEN"})  # scene frame at which the strip begins
    frames: bpy.props.IntProperty(min=0, options={"HIDDEN"})  # length of the strip
    start: bpy.props.FloatProperty(options={"HIDDEN"})  # seconds of the sound at the first frame
    content: bpy.props.FloatProperty(options={"HIDDEN"})  # length of the whole sound, in frames
    window: bpy.props.IntVectorProperty(size=2, options={"HIDDEN"})  # first and last frame of the keys it has written
    value_error: bpy.props.FloatProperty(options={"HIDDEN"})  # largest error of the keys, of a shape key's value
    lip_error: bpy.props.FloatProperty(options={"HIDDEN"})  # the same in millimetres
    tweaks: bpy.props.PointerProperty(type=LSF_PG_tweaks)
    sounds: bpy.props.CollectionProperty(name="Sounds", type=LSF_PG_sound)
    words: bpy.props.CollectionProperty(name="Words", type=LSF_PG_word)
    active_sound: bpy.props.IntProperty(
        name="Active Sound",
        description="Click a sound to select its keys and to see its sliders",
        default=-1,
        options=set(),
        update=show_active,
    )
    sounds_stamp: bpy.props.IntProperty(options={"HIDDEN"})  # another number whenever a sound changes
    transcript: bpy.props.StringProperty(
        name="Transcript",
        description="The words that are spoken, as far as you know them. Listen and Generate put the sounds of these "
        "words to their times, instead of guessing the sounds",
        options=set(),
    )
    pinned: bpy.props.StringProperty(options={"HIDDEN"})  # the transcript with which the sounds were heard


class LSF_PG_action(bpy.types.PropertyGroup):
    """The lines of a generated Action."""

    lines: bpy.props.CollectionProperty(name="Lines", type=LSF_PG_line)
