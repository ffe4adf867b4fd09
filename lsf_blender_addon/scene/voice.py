"""Finds the other lines of a head, with which its voice is compared when the emotion of one line is heard."""

from __future__ import annotations  # bpy.types.Strip exists since 4.4 only

from collections.abc import Iterable, Mapping, Sequence

import bpy

from .. import compat
from ..client.wire import MAX_OTHER_LINES
from ..errors import UserError
from . import strip_identity, strips
from .snapshots import Line, Source

MAX_TRIED = 2 * MAX_OTHER_LINES  # strips that are read, so that many without their file do not hold Blender up
MAX_PACKED = 64 << 20  # bytes of all packed sounds together that are copied; Blender waits meanwhile

Spoken = tuple[bpy.types.Scene, "bpy.types.SoundStrip"]  # a strip, with its scene


def spoken_strips(head: str, generated: Sequence[Source], cast: Mapping[str, str]) -> list[Spoken]:
    """Find the strips that a head speaks: those of its lines, and those that it is about to get.

    Args:
        head: Name of the head.
        generated: The strips of the lines that were generated for it.
        cast: Ids of the strips that are generated together, and the names of the heads that speak them. A strip that
            it gives to another head is that head's, even if it was generated for this one before.
    """
    statuses = strip_identity.states([source for source in generated if cast.get(source.id, head) == head])
    known = [(status.scene, status.strip) for status in statuses if status.scene and status.strip]
    ids = {strip_identity.strip_id(strip) for _scene, strip in known}
    return known + strip_identity.find_ids(uid for uid, name in cast.items() if name == head and uid not in ids)


def other_lines(line: Line, spoken: Iterable[Spoken], packed: dict[int, bytes]) -> list[Line]:
    """Read the strips that a head speaks besides one line.

    Strips that cannot be read, or are muted, are left out; the console says why. So are strips that play what the
    line, or another strip, plays already: a sound counts once.

    Args:
        line: The line that is heard.
        spoken: The strips of the same head; that of `line` may be among them.
        packed: Contents of packed sounds, see `strips.read_line`.

    Returns:
        At most MAX_OTHER_LINES lines: those of the same scene first, the nearest ones before the others.
    """
    found: list[Line] = []
    copied = 0
    for scene, strip in _nearest(line, spoken)[:MAX_TRIED]:
        copied += _bytes_to_copy(strip, packed)
        if copied > MAX_PACKED:
            print(f'LSF: the voice of "{line.strip}" is heard without "{strip.name}": the packed sounds are too large')
            break
        try:
            other = strips.read_line(scene, strip, packed)
        except UserError as error:
            print(f'LSF: the voice of "{line.strip}" is heard without "{strip.name}": {error}')
            continue
        if not any(_plays_same(other, known) for known in (line, *found)):
            found.append(other)
        if len(found) == MAX_OTHER_LINES:
            break
    return found


def _nearest(line: Line, spoken: Iterable[Spoken]) -> list[Spoken]:
    """The other strips that are not muted, in the order of `other_lines`."""
    ranked: list[tuple[tuple[bool, float, str], Spoken]] = []
    for scene, strip in spoken:
        if (strip.name, scene.name) != (line.strip, line.scene) and not strip.mute:
            distance = abs(compat.strip_times(strip).left - line.first_frame)
            ranked.append(((scene.name != line.scene, distance, strip.name), (scene, strip)))
    return [strip for _rank, strip in sorted(ranked, key=lambda entry: entry[0])]


def _bytes_to_copy(strip: bpy.types.SoundStrip, packed: dict[int, bytes]) -> int:
    """Size of the strip's sound if it is packed and was not copied yet, else 0."""
    sound = strip.sound
    contents = sound.packed_file if sound else None
    return contents.size if contents is not None and sound.session_uid not in packed else 0


def _plays_same(one: Line, two: Line) -> bool:
    """Whether two lines have more than half of the shorter one in common."""
    if one.path != two.path or one.packed != two.packed:
        return False
    common = min(one.start + one.duration, two.start + two.duration) - max(one.start, two.start)
    return common > min(one.duration, two.duration) / 2
