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
    id_type: str = "KEY",
) -> bpy.types.NlaStrip:
    """Add a strip that plays the Action's slot for shape keys, or for an object.

    It goes on the first track that may hold it and has room at its frames. Where there is none, a new track is made,
    which becomes the active one.

    Args:
        data: Animation data of the shape keys or the object.
        action: What the strip plays.
        name: Name of a new track.
        may_hold: Whether a track may hold the strip.
        window: First and last frame of the Action that the strip plays; None: all of it.
        id_type: Type of what is animated.
    """
    start, end = window or action.curve_frame_range[:]
    for track in data.nla_tracks:
        if may_hold(track) and all(strip.frame_end <= start or strip.frame_start >= end for strip in track.strips):
            break
    else:
        track = data.nla_tracks.new()
        track.name = name
    if window is None:
        strip = track.strips.new(action.name, int(start), action)
    else:
        strip = new_short_strip(track, action.name, int(start), action)
    compat.assign_slot(strip, action, id_type)
    if window is not None:
        strip.use_sync_length = False  # or the NLA's tweak mode gives the strip the length of the whole Action
        strip.action_frame_end, strip.action_frame_start = end, start  # the start cannot be set behind the end
        strip.frame_start, strip.frame_end = window
    strip.blend_type = "REPLACE"
    return strip


def new_short_strip(track: bpy.types.NlaTrack, name: str, start: int, action: bpy.types.Action) -> bpy.types.NlaStrip:
    """Make a strip of one frame that plays an Action; the caller gives it its frames.

    Blender makes a strip as long as the Action's keys, and refuses where another strip begins before they end. So a
    strip that plays a part of the Action would find no room.

    Args:
        track: The track.
        name: Name of the strip.
        start: First scene frame.
        action: What the strip plays.
    """
    placeholder = bpy.data.actions.new(name)
    strip = track.strips.new(name, start, placeholder)
    strip.action = action
    bpy.data.actions.remove(placeholder)
    return strip


def toggle_tweak_mode(data: bpy.types.AnimData, action: bpy.types.Action, frame: int) -> None:
    """Enter the tweak mode of the strip that plays an Action at a frame, or of the nearest one; or leave tweak mode.

    In tweak mode the Action is the active one, and new keys go into it.

    Args:
        data: Animation data with a strip of the Action.
        action: The Action.
        frame: Scene frame.
    """
    if data.use_tweak_mode:
        data.use_tweak_mode = False
        return
    players = [(track, strip) for track in data.nla_tracks for strip in track.strips]
    distances = {
        strip: max(strip.frame_start - frame, frame - strip.frame_end, 0.0)
        for _track, strip in players
        if strip.action == action
    }
    nearest = min(distances, key=lambda strip: distances[strip])
    for track, strip in players:
        strip.select = strip == nearest
        track.select = track.select and strip == nearest
        if strip == nearest:
            data.nla_tracks.active = track
    data.use_tweak_mode = True
