"""Reads and writes NLA tracks and strips of generated Actions. Strips on the artist's own tracks stay there."""

from collections.abc import Callable, Iterable

import bpy

from .. import compat


def players(data: bpy.types.AnimData) -> list[bpy.types.AnimData | bpy.types.NlaStrip]:
    """Return what plays Actions on the owner of `data`: `data` itself, and the strips."""
    return [data, *(strip for track in data.nla_tracks for strip in track.strips)]


def actions(data: bpy.types.AnimData) -> list[bpy.types.Action]:
    """Return the Actions that animate the owner of `data`: the active one and those of its strips, each once."""
    return [action for action in dict.fromkeys(player.action for player in players(data)) if action is not None]


def is_named(track: bpy.types.NlaTrack, name: str) -> bool:
    """Return whether this is a track of that name, or a further one, which Blender calls name.001."""
    return track.name.split(".")[0] == name


def remove_strips(tracks: Iterable[bpy.types.NlaTrack], action: bpy.types.Action) -> None:
    """Remove the strips that play the Action from these tracks."""
    for track in tracks:
        for strip in [strip for strip in track.strips if strip.action == action]:
            track.strips.remove(strip)


def add_strip(
    data: bpy.types.AnimData,
    action: bpy.types.Action,
    name: str,
    may_hold: Callable[[bpy.types.NlaTrack], bool],
    window: tuple[int, int] | None = None,
) -> bpy.types.NlaStrip:
    """Add a strip that plays the Action's slot for shape keys.

    It goes on the first track that may hold it and has room at its frames. Where there is none, a new track is made,
    which becomes the active one.

    Args:
        data: Animation data of the shape keys.
        action: What the strip plays.
        name: Name of a new track.
        may_hold: Whether a track may hold the strip.
        window: First and last frame of the Action that the strip plays; None: all of it.
    """
    start, end = window or action.curve_frame_range[:]
    for track in data.nla_tracks:
        if may_hold(track) and all(strip.frame_end <= start or strip.frame_start >= end for strip in track.strips):
            break
    else:
        track = data.nla_tracks.new()
        track.name = name
    strip = track.strips.new(action.name, int(start), action)
    compat.assign_slot(strip, action)
    if window is not None:
        strip.action_frame_start, strip.action_frame_end = window
        strip.frame_start, strip.frame_end = window
    strip.blend_type = "REPLACE"
    return strip
