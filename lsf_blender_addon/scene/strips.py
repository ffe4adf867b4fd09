"""Finds the sound strips of the sequencer, and reads which part of which sound each of them plays."""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

import os
import stat
from dataclasses import replace
from pathlib import Path

import bpy

from .. import compat
from ..errors import UserError
from . import strip_identity
from .access import find_item
from .heard_part import heard_part, placed_strips, scene_fps
from .snapshots import RATE_EPSILON, Line, file_name


def current_range(scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame of the preview range; without one, those of the scene."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_start, scene.frame_end


def sound_strips(scene: bpy.types.Scene) -> list[bpy.types.SoundStrip]:
    """All sound strips, muted or not, including those in meta strips, in the order in which they start."""
    strips = [placed.strip for placed in placed_strips(scene)]
    return sorted(strips, key=lambda strip: (compat.strip_times(strip).left, strip.channel, strip.name))


def find_strip(scene: bpy.types.Scene, name: str, known: str = "") -> bpy.types.SoundStrip:
    """The sound strip that was chosen; without a choice the active one, or the only one.

    Args:
        scene: The scene of the strip.
        name: The name by which it was chosen; empty for no choice.
        known: Its id, by which it is found even if it was renamed since; see scene/strip_identity.py.

    Raises:
        UserError: There is no such strip, or nothing tells which of several is meant.
    """
    strips = sound_strips(scene)
    if not strips:
        raise UserError(f'Add a sound strip with the line of speech to the sequencer of scene "{scene.name}"')
    if name:
        chosen = strip_identity.find_named(scene, name, known)
        if chosen is not None:
            return chosen
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
    placed = next(placed for placed in placed_strips(scene) if placed.strip == strip)
    part = heard_part(scene, placed)
    path, contents, file = _sound_file(strip, {} if packed is None else packed)
    return Line(
        strip.name,
        scene.name,
        path,
        contents,
        scene_fps(scene),
        part.first_frame,
        part.frames,
        part.start,
        part.duration,
        part.t0,
        strip_identity.strip_id(strip),
        part.content,
        file,
    )


def relocated(line: Line) -> Line:
    """Return the line at its strip's present frame and with its present names.

    If an undo took away the id that the strip got when the line was read, the strip gets it back.

    Raises:
        UserError: The scene or the strip is gone, the frame rate has changed, or the strip plays something else now.
    """
    found = strip_identity.find(line.source)
    scene = found[0] if found else find_item(bpy.data.scenes, line.scene)
    if scene is None or abs(scene_fps(scene) - line.fps) > RATE_EPSILON:
        raise UserError("The scene or its frame rate was changed while the animation was made: press Generate again")
    strip = found[1] if found else strip_identity.find_named(scene, line.strip)
    if strip is None or (found is None and strip_identity.strip_id(strip) not in ("", line.id)):
        raise UserError(f'The strip "{line.strip}" was deleted while its animation was made: press Generate again')
    try:
        now = replace(read_line(scene, strip, _known_contents(strip, line)), id=line.id)
    except UserError:  # it is retimed, plays nothing, or has lost its sound
        now = None
    if now is None or replace(now, first_frame=line.first_frame, strip=line.strip, scene=line.scene) != line:
        raise UserError(
            f'The strip "{strip.name}" was trimmed, or its speed or sound was changed, while its animation was made: '
            "press Generate again"
        )
    if line.id:
        strip_identity.restore_id(strip, line.id)
    return now


def _known_contents(strip: bpy.types.SoundStrip, line: Line) -> dict[int, bytes]:
    """The packed sound of a line that was read before, so that it is not copied again only to be compared."""
    file = strip.sound.packed_file if strip.sound else None
    if file is None or line.packed is None or file.size != len(line.packed):
        return {}
    return {strip.sound.session_uid: line.packed}


def _sound_file(strip: bpy.types.SoundStrip, packed: dict[int, bytes]) -> tuple[str, bytes | None, tuple[int, int]]:
    """Path of the strip's sound file, or name and contents of a packed one; see `read_line` for `packed`.

    With it the file's size, and when it was written; zeros for a packed one.

    Raises:
        UserError: The file is missing.
    """
    sound = strip.sound
    if sound is None:
        raise UserError(f'The strip "{strip.name}" has lost its sound: pick another strip')
    if sound.packed_file is not None:
        if sound.session_uid not in packed:
            packed[sound.session_uid] = bytes(sound.packed_file.data)
        return file_name(sound.filepath) or sound.name, packed[sound.session_uid], (0, 0)
    path = os.path.normpath(bpy.path.abspath(sound.filepath, library=sound.library))
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # a name with a zero in it is no path
        found = None
    if found is None or not stat.S_ISREG(found.st_mode):
        raise UserError(f'The sound file "{path}" is missing: use File > External Data > Find Missing Files')
    return path, None, (found.st_size, found.st_mtime_ns)
