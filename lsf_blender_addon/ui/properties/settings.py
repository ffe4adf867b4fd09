"""What the artist chooses in the panel, kept with the scene."""

import bpy

from ... import compat
from ...scene import strips
from . import batch, emotion, layers, takes


def _is_mesh(_settings, obj: bpy.types.Object) -> bool:
    return obj.type == "MESH"


def _strip_names(_settings, context: bpy.types.Context, typed: str) -> list[str]:
    names = [strip.name for strip in strips.sound_strips(compat.sequencer_scene(context))]
    return [name for name in names if typed.lower() in name.lower()]


class LSF_PG_settings(bpy.types.PropertyGroup):
    head: bpy.props.PointerProperty(
        name="Head",
        description="The mesh to animate. Left empty: the active object",
        type=bpy.types.Object,
        poll=_is_mesh,
    )
    strip: bpy.props.StringProperty(
        name="Strip",
        description="The sound strip to speak. Left empty: the active one of the sequencer",
        search=_strip_names,
        search_options=set(),
    )
    temperature: bpy.props.FloatProperty(
        name="Temperature",
        description="0 gives the most likely take, the same every time. More gives livelier, different takes",
        default=0.0,
        min=0.0,
        max=2.0,
        soft_max=1.0,
    )
    seed: bpy.props.IntProperty(
        name="Seed",
        description="Another number gives another take, where the temperature is above 0, and other "
        "blinks, gaze and head motion",
        default=0,
        min=0,
    )
    only_range: bpy.props.BoolProperty(
        name="Only Current Range",
        description="Replace the animation inside the preview range, or without one between "
        "the scene's start and end, softly at both ends. The rest of the line stays as it is, and so do blinks, gaze "
        "and head motion",
        default=False,
    )
    takes: bpy.props.PointerProperty(type=takes.LSF_PG_takes)
    emotion: bpy.props.PointerProperty(type=emotion.LSF_PG_emotion)
    layers: bpy.props.PointerProperty(type=layers.LSF_PG_layers)
    batch: bpy.props.PointerProperty(type=batch.LSF_PG_batch)
