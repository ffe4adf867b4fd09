"""Tracks and strips of the NLA, as all that is generated uses them. What is on an artist's own track stays there."""

from collections.abc import Callable, Iterable

import bpy

from .. import compat


def actions(data: bpy.types.AnimData) -> list[bpy.types.Action]:
    """What animates the owner of `data`: the active Action, and those of its strips; each once."""
    played = [data.action, *(strip.action for track in data.nla_tracks for strip in track.strips)]
    return [action for action in dict.fromkeys(played) if action is not None]


def is_named(track: bpy.types.NlaTrack, name: str) -> bool:
    """Whether this is a track of that name, or a further one, which Blender calls name.001."""
    return track.name.split(".")[0] == name


def take_off(tracks: Iterable[bpy.types.NlaTrack], action: bpy.types.Action) -> None:
    """Remove the strips that play the Action from these tracks."""
    for track in tracks:
        for strip in [strip for strip in track.strips if strip.action == action]:
            track.strips.remove(strip)


def put_on(
    data: bpy.types.AnimData, action: bpy.types.Action, name: str, may_hold: Callable[[bpy.types.NlaTrack], bool]
) -> bpy.types.NlaStrip:
    """A strip for the Action's slot for shape keys, on the first track that may hold it and has room at its frames;
    on a new one of that name, which becomes the active track, where there is none.
    """
    start, end = action.curve_frame_range
    for track in data.nla_tracks:
        if may_hold(track) and all(strip.frame_end <= start or strip.frame_start >= end for strip in track.strips):
            break
    else:
        track = data.nla_tracks.new()
        track.name = name
    strip = track.strips.new(action.name, int(start), action)
    compat.assign_slot(strip, action)
    strip.blend_type = "REPLACE"
    return strip
