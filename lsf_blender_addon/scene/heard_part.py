"""Which part of its sound a strip plays, and at which frames. Neither the sound nor the disk is read."""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import bpy

from .. import compat
from ..errors import UserError

FRAME_EPSILON = 1e-4  # frames by which Blender's handles miss whole frames


class Placed(NamedTuple):
    """A sound strip, and the frames in which the meta strips around it let it be heard."""

    strip: bpy.types.SoundStrip
    left: float  # -inf and inf outside of meta strips
    right: float


@dataclass(frozen=True)
class HeardPart:
    """What a strip plays between its handles."""

    first_frame: int  # of the scene, at which the strip is heard first
    frames: int  # how many scene frames the strip is heard
    start: float  # seconds into the file at which reading begins; never negative
    duration: float  # seconds to read
    t0: float  # seconds of the read sound at which first_frame lies; negative where the strip begins with silence
    content: float  # frames of the whole sound, which no handle changes


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def placed_strips(scene: bpy.types.Scene) -> Iterator[Placed]:
    """All sound strips of a scene, muted or not, including those in meta strips, in Blender's order."""
    if scene.sequence_editor is not None:
        yield from _inside(scene.sequence_editor, -math.inf, math.inf)


def _inside(parent: bpy.types.SequenceEditor | bpy.types.MetaStrip, left: float, right: float) -> Iterator[Placed]:
    """The sound strips of an editor or a meta strip that is heard between two frames."""
    for strip in compat.strips_of(parent):
        if compat.is_meta(strip):
            times = compat.strip_times(strip)
            yield from _inside(strip, max(left, times.left), min(right, times.right))
        elif compat.is_sound(strip):
            yield Placed(strip, left, right)


def heard_part(scene: bpy.types.Scene, placed: Placed) -> HeardPart:
    """What a strip plays as Blender mixes it: handles, offsets and meta strips count, volume and mute do not.

    Raises:
        UserError: The strip plays nothing, or not at its own speed.
    """
    strip = placed.strip
    times = compat.strip_times(strip)
    _check_not_retimed(strip, times)
    left, right = max(times.left, placed.left), min(times.right, placed.right)
    fps = scene_fps(scene)
    first, end = math.ceil(left - FRAME_EPSILON), math.ceil(right - FRAME_EPSILON)
    # Seconds of the file that are heard at `first` and `end`; tests/…/test_strips.py proves it by Blender's mixdown.
    begin = (first - times.content_start + times.skipped) / fps - compat.sound_offset(strip)
    finish = (end - times.content_start + times.skipped) / fps - compat.sound_offset(strip)
    if end <= first or finish <= 0:
        raise UserError(f'The strip "{strip.name}" plays no sound between its handles: drag them over the speech')
    start = max(0.0, begin)
    return HeardPart(first, end - first, start, finish - start, begin - start, times.content_length + times.skipped)


def _check_not_retimed(strip: bpy.types.SoundStrip, times: compat.StripTimes) -> None:
    """Raise UserError if the strip does not play at its own speed."""
    # The API does not tell how retiming keys map to the content, but a strip at its own speed has this length.
    length = times.content_length - times.left_trim - times.right_trim
    if compat.retiming_key_count(strip) or abs((times.right - times.left) - length) > 1.5:
        raise UserError(
            f'The speed of strip "{strip.name}" was changed: render it to a sound file '
            "(Render > Render Audio) and use that, or reset its retiming"
        )
