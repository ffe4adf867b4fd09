"""Finds the sound strips of the sequencer, and reads which part of which sound each of them plays."""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

import math
import os
from dataclasses import replace
from pathlib import Path

import bpy

from .. import compat
from ..errors import UserError
from .access import find_item
from .snapshots import Line


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def current_range(scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame of the preview range; without one, those of the scene."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def sound_strips(scene: bpy.types.Scene) -> list[bpy.types.SoundStrip]:
    """All sound strips, muted or not, including those in meta strips, in the order in which they start."""
    if scene.sequence_editor is None:
        return []
    strips = [strip for strip in compat.all_strips(scene.sequence_editor) if compat.is_sound(strip)]
    return sorted(strips, key=lambda strip: (compat.strip_times(strip).left, strip.channel, strip.name))


def find_strip(scene: bpy.types.Scene, name: str) -> bpy.types.SoundStrip:
    """The sound strip of this name; for an empty name the active one, or the only one.

    Raises:
        UserError: There is no such strip, or nothing tells which of several is meant.
    """
    strips = sound_strips(scene)
    if not strips:
        raise UserError(f'Add a sound strip with the line of speech to the sequencer of scene "{scene.name}"')
    if name:
        for strip in strips:
            if strip.name == name:
                return strip
        raise UserError(f'There is no sound strip "{name}" any more: pick another one')
    active = scene.sequence_editor.active_strip
    if active is not None and compat.is_sound(active):
        return active
    if len(strips) == 1:
        return strips[0]
    raise UserError("Pick the sound strip to speak, or make it the active one in the sequencer")


def read_line(scene: bpy.types.Scene, strip: bpy.types.SoundStrip, packed: dict[int, bytes] | None = None) -> Line:
    """The sound that a strip plays as Blender mixes it: handles, offsets and meta strips count, volume and mute do not.

    Args:
        scene: The scene of the strip.
        strip: The strip.
        packed: Contents of packed sounds that were read before, by their session_uid; those of the strip are added.
            So the lines that are cut from one packed recording share one copy of it.

    Raises:
        UserError: The strip plays nothing, its file is missing, or it is retimed.
    """
    times = compat.strip_times(strip)
    _check_not_retimed(strip, times)
    left, right = _audible_range(scene, strip, times)
    fps = scene_fps(scene)
    first, end = math.ceil(left - 1e-4), math.ceil(right - 1e-4)
    # Seconds of the file that are heard at `first` and `end`; tests/…/test_strips.py proves it by Blender's mixdown.
    begin = (first - times.content_start + times.skipped) / fps - compat.sound_offset(strip)
    finish = (end - times.content_start + times.skipped) / fps - compat.sound_offset(strip)
    if end <= first or finish <= 0:
        raise UserError(f'The strip "{strip.name}" plays no sound between its handles: drag them over the speech')
    start = max(0.0, begin)
    path, contents = _sound_file(strip, {} if packed is None else packed)
    return Line(strip.name, scene.name, path, contents, fps, first, end - first, start, finish - start, begin - start)


def relocated(line: Line) -> Line:
    """Return the line at its strip's present frame; the line as it was, if the strip was changed in another way.

    Raises:
        UserError: The scene is gone, or its frame rate has changed.
    """
    scene = find_item(bpy.data.scenes, line.scene)
    if scene is None or abs(scene_fps(scene) - line.fps) > 1e-6:
        raise UserError("The scene or its frame rate was changed while the animation was made: press Generate again")
    try:
        now = read_line(scene, find_strip(scene, line.strip))
    except UserError:
        return line
    return now if now == replace(line, first_frame=now.first_frame) else line


def _audible_range(
    scene: bpy.types.Scene, strip: bpy.types.SoundStrip, times: compat.StripTimes
) -> tuple[float, float]:
    """Handles of the strip in frames, narrowed by those of the meta strips around it."""
    left, right = times.left, times.right
    editor = scene.sequence_editor
    for meta in (_parents(editor, strip.name) if editor else None) or ():
        outer = compat.strip_times(meta)
        left, right = max(left, outer.left), min(right, outer.right)
    return left, right


def _parents(parent: bpy.types.SequenceEditor | bpy.types.MetaStrip, name: str) -> list[bpy.types.MetaStrip] | None:
    """The meta strips around the strip of this name, outermost first; None if it is not inside `parent`."""
    for strip in compat.strips_of(parent):
        if strip.name == name:
            return []
        if compat.is_meta(strip) and (inner := _parents(strip, name)) is not None:
            return [strip, *inner]
    return None


def _check_not_retimed(strip: bpy.types.SoundStrip, times: compat.StripTimes) -> None:
    """Raise UserError if the strip does not play at its own speed."""
    # The API does not tell how retiming keys map to the content, but a strip at its own speed has this length.
    length = times.content_length - times.left_trim - times.right_trim
    if compat.retiming_key_count(strip) or abs((times.right - times.left) - length) > 1.5:
        raise UserError(
            f'The speed of strip "{strip.name}" was changed: render it to a sound file '
            "(Render > Render Audio) and use that, or reset its retiming"
        )


def _sound_file(strip: bpy.types.SoundStrip, packed: dict[int, bytes]) -> tuple[str, bytes | None]:
    """Path of the strip's sound file, or name and contents of a packed one; see `read_line` for `packed`.

    Raises:
        UserError: The file is missing.
    """
    sound = strip.sound
    if sound is None:
        raise UserError(f'The strip "{strip.name}" has lost its sound: pick another strip')
    if sound.packed_file is not None:
        if sound.session_uid not in packed:
            packed[sound.session_uid] = bytes(sound.packed_file.data)
        return Path(bpy.path.abspath(sound.filepath)).name or sound.name, packed[sound.session_uid]
    path = os.path.normpath(bpy.path.abspath(sound.filepath, library=sound.library))
    if not Path(path).is_file():
        raise UserError(f'The sound file "{path}" is missing: use File > External Data > Find Missing Files')
    return path, None
