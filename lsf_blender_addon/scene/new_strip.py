"""Adds sound strips to the sequencer: with `talking_head`, one of two modules of `scene` that make something."""

import contextlib
import math
import os
from pathlib import Path

import bpy

from .. import compat
from ..errors import UserError, printable
from . import audio, strips

DEMO_LINE = Path(__file__).parents[1] / "assets" / "demo_line.flac"
CHANNELS = 128  # of a sequencer
EPSILON = 1e-4  # frames by which handles miss whole frames


def add(context: bpy.types.Context, paths: list[str]) -> list["bpy.types.SoundStrip"]:
    """Add sounds at the playhead, one after the other, in the lowest channel that is free from there on.

    The first of them becomes the active strip. In Blender 5.0 and later, a workspace without a scene for its sequencer
    gets the active one.

    Args:
        context: Tells the scene.
        paths: Sound files, or videos with sound.

    Returns:
        The strips, at least one.

    Raises:
        UserError: A file cannot be read as sound, or no channel is free. Nothing was changed.
    """
    for path in paths:
        _check_sound(path)
    scene = compat.ensure_sequencer_scene(context)
    editor = scene.sequence_editor or scene.sequence_editor_create()
    assert editor is not None
    frame = scene.frame_current
    channel = _free_channel(editor, frame)
    for other in compat.all_strips(editor):
        other.select = False
    added = []
    for path in paths:
        strip = compat.add_sound_strip(editor, Path(path).stem, path, channel, frame)
        strip.select = True
        _make_relative(strip)
        added.append(strip)
        frame = round(compat.strip_times(strip).right)
    editor.active_strip = added[0]
    return added


def follow_sound(scene: bpy.types.Scene, added: int) -> bool:
    """Let playback keep up with the sound, if the added strips are the first and the sync mode was not chosen yet.

    Playback that shows every frame falls behind the voice, and the lips seem late.

    Args:
        scene: The scene that is played.
        added: How many sound strips were added.

    Returns:
        Whether the sync mode was changed.
    """
    if scene.sync_mode != "NONE" or len(strips.sound_strips(scene)) > added:
        return False
    scene.sync_mode = "AUDIO_SYNC"
    return True


def first_frame(strip: "bpy.types.SoundStrip") -> int:
    """The first frame at which a strip is heard."""
    return math.ceil(compat.strip_times(strip).left - EPSILON)


def last_frame(strip: "bpy.types.SoundStrip") -> int:
    """The last frame at which a strip is heard."""
    return math.ceil(compat.strip_times(strip).right - EPSILON) - 1


def _check_sound(path: str) -> None:
    """Raise UserError if a file is missing, Blender finds no sound in it, or scripts cannot tell Blender its path."""
    if not Path(path).is_file():
        raise UserError(f'There is no file "{path}": choose a sound file')
    if printable(path) != path:
        raise UserError(f'The path "{path}" is not valid Unicode: rename the file and its folders')
    aud = audio.audaspace()
    if aud is None:  # the bpy module of 4.2
        return
    try:
        rate, channels = aud.Sound(path).specs
    except aud.error as error:
        raise UserError(f'Blender finds no sound in "{path}": convert it to .wav or .flac') from error
    if not rate or not channels:
        raise UserError(f'Blender finds no sound in "{path}": convert it to .wav or .flac')


def _free_channel(editor: bpy.types.SequenceEditor, frame: int) -> int:
    """The lowest channel that is not locked and has no strip at this frame or later."""
    taken = {strip.channel for strip in compat.strips_of(editor) if compat.strip_times(strip).right > frame}
    for channel in range(1, CHANNELS + 1):
        if channel not in taken and not editor.channels[channel].lock:
            return channel
    raise UserError("No channel of the sequencer is free: delete or move a strip first")


def _make_relative(strip: "bpy.types.SoundStrip") -> None:
    """Store the path relative to the .blend file, if the preferences say so and both are on one drive."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths and strip.sound is not None:
        with contextlib.suppress(ValueError):
            strip.sound.filepath = bpy.path.relpath(os.fspath(strip.sound.filepath))
