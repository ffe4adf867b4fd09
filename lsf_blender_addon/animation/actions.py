"""The generated Action of a head: one for all its lines, which plays beside the artist's Action.

Where it plays:
- It is the active Action of the head's shape keys, ready for the Graph Editor and for keys that the artist sets with I.
- If the artist's own Action is active there, the generated one becomes a strip on an NLA track "LSF". The artist's
  stays active, so Blender plays it on top: on a key that both animate, it decides.
- An artist who wants a layer for their own keys gets an empty Action above the track, whose values are added.
- If the artist has NLA tracks, the generated Action plays on a track above them, only at the frames of its lines.

An Action belongs to a head by a pointer on its shape keys. So it may have any name, and is saved even if nothing plays
it. A copy of it that plays on a head belongs to that head, with all lines.
"""

import bpy

from .. import compat
from ..errors import UserError
from ..scene import stored
from ..scene.access import ensure_key_animation, key_animation, shape_keys_of
from . import fcurves, layer, nla, property_values
from .fcurves import value_path
from .line_curves import Window
from .strip_state import StripState

MARK = "lsf_speech"  # custom property on a generated Action
POINTER = "lsf_action"  # custom property on shape keys: their generated Action
TRACK, REST = "LSF", "LSF rest"
REST_PATHS = "lsf_rest"  # custom property on the Action of the track at rest: the data paths that it holds at 0


def check(mesh: bpy.types.Mesh) -> None:
    """Check that these shape keys can take lines.

    Raises:
        UserError: Their generated Action is linked from another file, or the NLA is in tweak mode, or the NLA is turned
            off although the Action would have to play through it.
    """
    data = key_animation(mesh)
    if data is None:
        return
    action = existing(mesh)
    if action is not None:
        check_local(action)
    if data.use_tweak_mode:
        raise UserError("Leave the NLA's tweak mode first: Key in the Lines, or Tab in the NLA editor")
    is_direct = data.action == action if data.action else not data.nla_tracks
    if not (is_direct or data.use_nla):
        raise UserError("The NLA of this head's shape keys is turned off: turn it on, the animation plays through it")


def check_local(action: bpy.types.Action) -> None:
    """Check that Blender saves what is changed in an Action: changes of linked data are lost.

    Raises:
        UserError: It is linked from another file.
    """
    if action.library:
        raise UserError(
            f'"{action.name}" is linked from another file: make it local first (Object > Relations > Make Local)'
        )


def is_generated(action: bpy.types.Action | None) -> bool:
    """Whether this is an Action with generated lines."""
    return action is not None and stored.is_on(action, MARK)


def is_rest(action: bpy.types.Action | None) -> bool:
    """Return whether this Action holds keys at rest, on the track for that."""
    return action is not None and stored.text(action, REST_PATHS) is not None


def existing(mesh: bpy.types.Mesh) -> bpy.types.Action | None:
    """The generated Action of these shape keys: one that plays, else the one that they point to."""
    keys = mesh.shape_keys
    return _action_of(keys) if keys else None


def ensure(mesh: bpy.types.Mesh, name: str) -> bpy.types.Action:
    """The generated Action of these shape keys. It is made if there is none, or if it plays on another head, too.

    Args:
        mesh: A mesh with shape keys.
        name: Name of the head.
    """
    keys, data = shape_keys_of(mesh), ensure_key_animation(mesh)
    action = existing(mesh)
    if action is None:
        action = bpy.data.actions.new(f"LSF · {name}")
        action[MARK] = True
        compat.key_fcurves(action)  # makes its slot
    elif len(animated_keys(action)) > 1:
        shared, action = action, action.copy()
        assert isinstance(action, bpy.types.Action)
        for player in nla.players(data):
            if player.action == shared:
                player.action = action
                compat.assign_slot(player, action)
    keys[POINTER] = action
    return action


def place(mesh: bpy.types.Mesh, action: bpy.types.Action, windows: list[Window]) -> None:
    """Make the generated Action play; see the module's docstring.

    Args:
        mesh: The mesh with the shape keys.
        action: Their generated Action.
        windows: Frames of its lines.
    """
    data = ensure_key_animation(mesh)
    if data.use_tweak_mode:  # nobody can change the active Action then; the next line that is written places it
        return
    if data.action == action or (data.action is None and not data.nla_tracks):
        compat.assign_key_action(data, action)
    elif theirs := [
        strip for track in data.nla_tracks if not _is_ours(track) for strip in track.strips if strip.action == action
    ]:
        for strip in theirs:  # the artist has put it on a track of their own
            _grow(strip, windows)
    else:
        _put_on_tracks(data, action, windows)
    if data.action is not None and layer.is_layer(data.action):
        layer.rest_between(data.action, fcurves.paths(action), windows)
    shape_keys_of(mesh).update_tag()


def plays(mesh: bpy.types.Mesh, action: bpy.types.Action, window: Window) -> bool:
    """Whether an Action plays on the shape keys in all of a window: as the active one, or from strips."""
    data = key_animation(mesh)
    if data is None or data.action == action or data.use_tweak_mode:
        return data is not None
    return any(
        strip.action == action
        and (strip.extrapolation == "HOLD" or (strip.frame_start <= window[0] and strip.frame_end >= window[1]))
        for track in data.nla_tracks
        for strip in track.strips
    )


def add_layer(mesh: bpy.types.Mesh, windows: list[Window]) -> bpy.types.Action:
    """Make an Action above the generated one, whose values are added. The generated one goes to a track.

    Args:
        mesh: The mesh with the shape keys.
        windows: Frames of the generated Action's lines.

    Raises:
        UserError: There is no generated Action, one of the artist is active, or the NLA is turned off or in tweak mode.
    """
    data, speech = key_animation(mesh), existing(mesh)
    if data is None or speech is None:
        raise UserError("Nothing was generated for these shape keys yet: press Generate first")
    if data.action not in (None, speech):
        raise UserError("Your own Action is already active above the generated one")
    if data.use_tweak_mode or not data.use_nla:
        raise UserError(
            "The NLA of this head's shape keys is turned off, or in tweak mode: turn it on, and leave tweak mode"
        )
    if data.action is not None:
        data.action = None
        _put_on_tracks(data, speech, windows)
    own = layer.new(speech.name)
    layer.rest_between(own, fcurves.paths(speech), windows)
    compat.assign_key_action(data, own)
    data.action_blend_type = "ADD"
    shape_keys_of(mesh).update_tag()
    return own


def remove(mesh: bpy.types.Mesh, action: bpy.types.Action) -> None:
    """Take a generated Action off the shape keys, with the strips that play it, and out of the file if it is unused."""
    keys, data = shape_keys_of(mesh), ensure_key_animation(mesh)
    data.use_tweak_mode = False  # in which the active Action cannot be changed
    nla.remove_strips(data.nla_tracks, action)
    rest = {strip.action for track in data.nla_tracks if nla.is_named(track, REST) for strip in track.strips}
    for track in [track for track in data.nla_tracks if _is_ours(track)]:
        data.nla_tracks.remove(track)
    if data.action == action:
        data.action = None
    elif data.action is not None and layer.is_layer(data.action):
        layer.rest_between(data.action, (), [])
    if keys.get(POINTER) == action:
        del keys[POINTER]
    for other in bpy.data.shape_keys:
        if other.animation_data and other.animation_data.action == action and not animated_keys(action):
            other.animation_data.action = None  # a part
    for unused in (action, *rest):
        if unused is not None and not unused.users - unused.use_fake_user:
            bpy.data.actions.remove(unused)
    keys.update_tag()


def animated_keys(action: bpy.types.Action) -> list[bpy.types.Key]:
    """The shape keys whose generated Action this is."""
    return [keys for keys in bpy.data.shape_keys if _action_of(keys) == action]


def overruled(mesh: bpy.types.Mesh, names: list[str]) -> list[str]:
    """Return those of the keys that curves of the artist in the active Action animate, too: these take precedence."""
    data = key_animation(mesh)
    # With another blend type, the artist's Action changes the generated values, but does not replace them.
    if data is None or data.action is None or data.action_blend_type != "REPLACE" or is_generated(data.action):
        return []
    theirs = {fcurve.data_path for fcurve in compat.played_fcurves(data)}
    return [name for name in names if value_path(name) in theirs]


def _action_of(keys: bpy.types.Key) -> bpy.types.Action | None:
    """The generated Action of shape keys."""
    data, pointed = keys.animation_data, keys.get(POINTER)
    players = nla.players(data) if data else []
    # Parts of a head play its Action, too, with slots of their own: see part_drivers.py.
    playing = [
        player.action for player in players if is_generated(player.action) and compat.plays_first_key_slot(player)
    ]
    if playing:
        return pointed if pointed in playing else playing[0]
    return pointed if isinstance(pointed, bpy.types.Action) and is_generated(pointed) else None


def _grow(strip: bpy.types.NlaStrip, windows: list[Window]) -> None:
    """Let a strip of the artist's play all lines, if it plays the Action at its own speed and frames."""
    same_frames = abs(strip.frame_start - strip.action_frame_start) < 1e-3
    if (
        windows
        and same_frames
        and abs(strip.scale - 1) < 1e-3
        and abs(strip.repeat - 1) < 1e-3
        and not strip.use_reverse
    ):
        strip.action_frame_start = min(strip.action_frame_start, windows[0][0])
        strip.action_frame_end = max(strip.action_frame_end, windows[-1][1])
        strip.frame_start, strip.frame_end = strip.action_frame_start, strip.action_frame_end


def _put_on_tracks(data: bpy.types.AnimData, action: bpy.types.Action, windows: list[Window]) -> None:
    """Make the generated Action play from tracks of ours: as a whole, or above the artist's tracks line by line."""
    above = any(not _is_ours(track) for track in data.nla_tracks)
    active_track = data.nla_tracks.active
    for track in [track for track in data.nla_tracks if _holds_speech(track)]:
        nla.remove_strips([track], action)
    if not above:
        nla.add_strip(data, action, TRACK, _holds_speech).extrapolation = "HOLD"
    else:
        rest = _ensure_rest_track(data) if compat.shape_key_default() != 0 else None
        for first, last in windows:
            strip = nla.add_strip(data, action, TRACK, _holds_speech, (first, last))
            strip.extrapolation = "NOTHING"
        if rest is not None:
            _fill_rest_track(data, rest)
    for track in [track for track in data.nla_tracks if _is_ours(track) and not track.strips]:
        data.nla_tracks.remove(track)
    if active_track is not None and active_track in list(data.nla_tracks):
        data.nla_tracks.active = active_track


def _ensure_rest_track(data: bpy.types.AnimData) -> bpy.types.NlaTrack:
    """Return the track "LSF rest"; if there is none, it is made below the tracks with speech.

    A file from before Blender 5.0 has a track with speech, but no such track.
    """
    tracks = list(data.nla_tracks)
    rest = next((track for track in tracks if _is_ours(track) and nla.is_named(track, REST)), None)
    if rest is not None:
        return rest
    lowest = next((index for index, track in enumerate(tracks) if _holds_speech(track)), len(tracks))
    if lowest > 0 or not tracks:
        rest = data.nla_tracks.new(prev=tracks[lowest - 1] if tracks else None)
    else:  # Blender adds no track at the bottom: the lowest one becomes this track, and its strips move up
        rest, above = tracks[0], data.nla_tracks.new(prev=tracks[0])
        strips, values = [StripState(strip) for strip in rest.strips], property_values.read(rest)
        for strip in list(rest.strips):
            rest.strips.remove(strip)
        for state in strips:
            state.add_to(above)
        rest.name, rest.mute, rest.lock = REST, False, False
        property_values.restore(above, values)
    rest.name = REST
    return rest


def _holds_speech(track: bpy.types.NlaTrack) -> bool:
    """Return whether this is a track of ours for the curves of lines."""
    return nla.is_named(track, TRACK) and _is_ours(track)


def _is_ours(track: bpy.types.NlaTrack) -> bool:
    """Return whether this track was generated, and holds nothing else."""
    named = nla.is_named(track, TRACK) or nla.is_named(track, REST)
    return named and all(is_generated(strip.action) or is_rest(strip.action) for strip in track.strips)


def _fill_rest_track(data: bpy.types.AnimData, rest: bpy.types.NlaTrack) -> None:
    """Hold the generated curves at 0 where no generated strip plays, by a strip of zeros under the others.

    It leaves out what other tracks hold, the artist's or layers of ours: they may lie below.
    """
    paths: set[str] = set()
    held: set[str] = set()
    for track in data.nla_tracks:
        for strip in track.strips:
            animated = {fcurve.data_path for fcurve in compat.played_fcurves(strip)}
            if _is_ours(track):
                paths |= animated
            elif strip.extrapolation == "HOLD":
                held |= animated
    paths -= held
    action = (rest.strips[0].action if rest.strips else None) or bpy.data.actions.new("LSF · rest")
    curves = compat.key_fcurves(action)
    earlier = set((stored.text(action, REST_PATHS) or "").split("\n"))
    for curve in [curve for curve in curves if curve.data_path in earlier]:
        curves.remove(curve)
    for path in sorted(paths):
        curves.new(path).keyframe_points.insert(0, 0.0)
    action[REST_PATHS] = "\n".join(sorted(paths))
    if not rest.strips:
        strip = rest.strips.new(action.name, 0, action)
        compat.assign_slot(strip, action)
        strip.extrapolation, strip.blend_type = "HOLD", "REPLACE"
