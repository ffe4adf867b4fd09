"""The settings of the panel, stored in the scene."""

import bpy

from ... import compat
from ...jobs import line_list
from ...scene import strip_identity, strips
from ...scene.own_properties import number
from ..translations import OWN_CONTEXT
from . import batch, emotion, layers, sounds, takes

MAX_TAKE = 2**31 - 1  # the largest value of an integer property


def _is_mesh(_settings: "LSF_PG_settings", obj: bpy.types.Object) -> bool:
    """Return whether an object can be chosen as the head."""
    return obj.type == "MESH"


def _strip_names(_settings: "LSF_PG_settings", context: bpy.types.Context, typed: str) -> list[str]:
    """Return the sound strips whose names contain the typed text."""
    names = [strip.name for strip in strips.sound_strips(compat.sequencer_scene(context))]
    return [name for name in names if typed.lower() in name.lower()]


def _remember_strip(settings: "LSF_PG_settings", context: bpy.types.Context) -> None:
    """Remember which strip was chosen, so that it is found when it is renamed, and show its line and its take."""
    settings.line = ""
    settings.strip_id = strip_identity.chosen_id(compat.sequencer_scene(context), settings.strip)
    if settings.id_data == context.scene:  # a script may set those of another scene
        line_list.show_take(context)


def _present_name(settings: "LSF_PG_settings") -> str:
    """Return the name that the chosen strip has now."""
    scene = compat.sequencer_scene(bpy.context)
    return strip_identity.present_name(scene, settings.strip, settings.strip_id)


def _choose_strip(settings: "LSF_PG_settings", name: str) -> None:
    """Choose the strip of this name."""
    settings.strip = name


def _shown_line(_settings: "LSF_PG_settings") -> int:
    """Return which line of the chosen head the panels show."""
    return line_list.shown_index(bpy.context)


def _go_to_line(_settings: "LSF_PG_settings", index: int) -> None:
    """Go to a line of the chosen head."""
    line_list.go_to_index(bpy.context, index)


class LSF_PG_settings(bpy.types.PropertyGroup):
    head: bpy.props.PointerProperty(
        name="Head",
        description="Mesh object to animate. Leave empty to use the active object",
        type=bpy.types.Object,
        poll=_is_mesh,
        translation_context=OWN_CONTEXT,  # Blender translates "Head" as the end of a bone
    )
    strip: bpy.props.StringProperty(  # the name under which it was chosen
        name="Strip", options={"HIDDEN"}, update=_remember_strip
    )
    strip_id: bpy.props.StringProperty(name="Strip Identity", options={"HIDDEN"})  # of scene/strip_identity.py
    shown_strip: bpy.props.StringProperty(
        name="Strip",
        description="Sound strip to animate the head to. Leave empty to use the active strip of the sequencer",
        search=_strip_names,
        search_options=set(),
        get=_present_name,
        set=_choose_strip,
    )
    line: bpy.props.StringProperty(
        name="Line", options={"HIDDEN"}
    )  # id of a line that is shown although its strip is not
    line_beside: bpy.props.StringProperty(name="Active Strip", options={"HIDDEN"})  # the active one when it was picked
    shown_line: bpy.props.IntProperty(  # index in the lines of the head's Action; -1 for none
        name="Line",
        description="Go to this line, make its strip the active one, and show the line in the panels and its take in "
        "the fields",
        options=set(),  # I over the list keys the face, not the row
        get=_shown_line,
        set=_go_to_line,
    )
    take: bpy.props.IntProperty(
        name="Take",
        description="0 is the most likely performance, the same every time. 1, 2, 3 and so on are other performances "
        "of the line, which differ by Variation. The number also decides blinks, gaze and head motion",
        default=0,
        min=0,
    )
    variation: bpy.props.FloatProperty(
        name="Variation",
        description="How much takes 1, 2, 3 and so on differ from take 0 and from each other",
        default=0.2,
        min=0.0,
        max=2.0,
        soft_max=1.0,
    )
    only_range: bpy.props.BoolProperty(
        name="Only Current Range",
        description="Replace only the animation inside the preview range, or inside the scene's frame range if no "
        "preview range is set, and blend it at both ends. Blinks, gaze and head motion do not change",
        default=False,
    )
    takes: bpy.props.PointerProperty(type=takes.LSF_PG_takes)
    emotion: bpy.props.PointerProperty(type=emotion.LSF_PG_emotion)
    layers: bpy.props.PointerProperty(type=layers.LSF_PG_layers)
    batch: bpy.props.PointerProperty(type=batch.LSF_PG_batch)
    sounds: bpy.props.PointerProperty(type=sounds.LSF_PG_sound_view)

    def take_request(self, take: int) -> dict[str, float]:
        """Return the part of a request that chooses the take.

        Args:
            take: Number of the take: 0 for the most likely performance; 1, 2, 3 … for random variations of it.

        Returns:
            The settings `temperature` and `seed` of docs/protocol.md.
        """
        return {"temperature": number(self, "variation") if take > 0 else 0.0, "seed": max(0, take)}

    def show_take(self, seed: int, temperature: float) -> None:
        """Set Take and Variation so that Generate makes an earlier performance again.

        Args:
            seed: Setting `seed` of the earlier request.
            temperature: Setting `temperature` of the earlier request.
        """
        self.take = min(seed, MAX_TAKE)
        if seed:  # take 0 says nothing about how much the others differ
            self.variation = temperature
