"""The sounds and words of a line, stored in its head's Action, and how the sounds are shown."""

from typing import TYPE_CHECKING, Any

import bpy

from ...animation import line_sounds, lines, sound_keys
from ...scene.own_properties import lines_of, settings_of
from ..sound_timeline import timeline
from .tweaks import INDEX

if TYPE_CHECKING:
    from .lines import LSF_PG_line


PREVIEW = 6  # frames before and after a sound that the preview range has: a sound alone is too short to judge


def _view_changed(_group: "LSF_PG_sound_view", _context: bpy.types.Context) -> None:
    """Draw the sounds again."""
    timeline.redraw()


def _changed(group: "LSF_PG_sound", _context: bpy.types.Context) -> None:
    """Write the curves of the line that owns the changed sound again."""
    action, index = group.id_data, INDEX.search(group.path_from_id())
    if isinstance(action, bpy.types.Action) and index is not None and not line_sounds.is_writing():
        record = lines_of(action)[int(index[1])]
        line_sounds.stamp(record)
        lines.refresh(action, record)


def _slider(name: str, description: str, **limits: Any) -> Any:  # the stubs have no type for a deferred property
    """Return the property of a slider for one sound."""
    return bpy.props.FloatProperty(name=name, description=description, options=set(), update=_changed, **limits)


def _amount(name: str, description: str) -> Any:
    """Return the property of a slider from 0 to 1."""
    return _slider(name, description, default=0.0, min=0.0, max=1.0, subtype="FACTOR")


class LSF_PG_sound(bpy.types.PropertyGroup):
    # Times are seconds of the sound file: see animation/line_sounds.py. None of these is drawn by its name.
    start: bpy.props.FloatProperty(options={"HIDDEN"})
    end: bpy.props.FloatProperty(options={"HIDDEN"})
    heard: bpy.props.StringProperty(options={"HIDDEN"})  # IPA; empty for a sound that the artist has added
    symbol: bpy.props.StringProperty(options={"HIDDEN"})  # IPA that is shown; empty for one that is taken out
    confidence: bpy.props.FloatProperty(options={"HIDDEN"})
    close: _amount("Close More", "How far the lips are closed in this sound. At 1 they meet")
    open: _amount("Open More", "How much further the mouth opens in this sound")
    round: _amount("Rounder", "How far the lips are pushed forward and rounded in this sound")
    wide: _amount("Wider", "How far the mouth is drawn apart sideways in this sound")
    later: _slider(
        "Later",
        "Frames by which the face shows this sound later. Values below 0 show it earlier",
        default=0.0,
        min=-12.0,
        max=12.0,
        soft_min=-4.0,
        soft_max=4.0,
        precision=1,
        step=50,
    )
    strength: _slider(
        "Strength",
        "Strength of jaw and lips in this sound. 1 is as predicted",
        default=1.0,
        min=0.0,
        max=3.0,
        soft_max=2.0,
    )


class LSF_PG_word(bpy.types.PropertyGroup):
    """A word. Its inherited `name` is the text."""

    start: bpy.props.FloatProperty(options={"HIDDEN"})  # seconds of the sound file
    end: bpy.props.FloatProperty(options={"HIDDEN"})


class LSF_PG_sound_view(bpy.types.PropertyGroup):
    """How the sounds are shown, in a scene."""

    notation: bpy.props.EnumProperty(
        name="Notation",
        description="How the sounds are written",
        items=(
            ("IPA", "IPA", "The letters of the International Phonetic Alphabet"),
            ("ARPABET", "ARPAbet", "The letters of English dictionaries for speech, as AA and TH"),
            ("VISEME", "Visemes", "What the face shows: the fifteen mouth shapes of MPEG-4, as PP and FF"),
        ),
        options=set(),
        update=_view_changed,
    )
    with_generate: bpy.props.BoolProperty(
        name="Listen with Generate",
        description="Generate also finds the sounds of the line. It does in any case if the line has sounds or a "
        "transcript",
        options=set(),
    )
    preview: bpy.props.BoolProperty(
        name="Preview Range",
        description="A click on a sound also sets the preview range to it, so that it plays over and over",
        options=set(),
    )


def show_active(record: "LSF_PG_line", context: bpy.types.Context) -> None:
    """Select the keys of the line's active sound, and set the preview range to it if that is wanted.

    Args:
        record: The line.
        context: Tells the scene.
    """
    if line_sounds.is_writing():
        return
    action, frames = record.id_data, line_sounds.frames_of(record, record.active_sound)
    if frames is None or not isinstance(action, bpy.types.Action) or action.library is not None:
        return
    sound_keys.select(action, *frames)
    scene = context.scene
    if scene is not None and settings_of(scene).sounds.preview:
        scene.use_preview_range = True
        scene.frame_preview_start, scene.frame_preview_end = max(0, frames[0] - PREVIEW), max(0, frames[1] + PREVIEW)
    timeline.redraw()
