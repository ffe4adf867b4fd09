"""The lines of a head, stored in its generated Action: what each line was made from, and its sliders."""

import bpy

from .tweaks import LSF_PG_tweaks


class LSF_PG_line(bpy.types.PropertyGroup):
    """A line. Its inherited `name` is that of the strip, or of the recording's file."""

    uid: bpy.props.StringProperty(name="Id", description="The strip's id, or one of its own")
    kind: bpy.props.EnumProperty(
        name="Kind",
        items=(
            ("SPEECH", "Speech", "Generated for a sound strip"),
            ("RECORDING", "Recording", "Imported from a file"),
        ),
    )
    scene: bpy.props.StringProperty(name="Scene", description="Scene of the strip")
    sound: bpy.props.StringProperty(name="Sound", description="Name of the strip's sound file")
    fps: bpy.props.FloatProperty(name="Frame Rate", description="Of the scene", default=24.0, min=0.01)
    first_frame: bpy.props.IntProperty(name="First Frame", description="Scene frame at which the strip begins")
    frames: bpy.props.IntProperty(name="Frames", description="Length of the strip", min=0)
    start: bpy.props.FloatProperty(name="Start", description="Seconds of the sound at the first frame")
    content: bpy.props.FloatProperty(name="Content", description="Length of the whole sound, in frames")
    window: bpy.props.IntVectorProperty(
        name="Window", description="First and last frame in which the line has written keys", size=2
    )
    value_error: bpy.props.FloatProperty(name="Error", description="Largest error of the keys, of a shape key's value")
    lip_error: bpy.props.FloatProperty(name="Lip Error", description="Largest error of the keys, in millimetres")
    tweaks: bpy.props.PointerProperty(type=LSF_PG_tweaks)


class LSF_PG_action(bpy.types.PropertyGroup):
    """The lines of a generated Action."""

    lines: bpy.props.CollectionProperty(name="Lines", type=LSF_PG_line)
    active: bpy.props.IntProperty(name="Active Line", options={"HIDDEN"})
