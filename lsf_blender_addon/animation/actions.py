"""Writes the generated curves into an Action of their own, which plays beside the artist's Action.

Where it plays:
- Shape keys without animation get the Action as their active one, ready for the Graph Editor.
- If the artist's Action is active there, or NLA tracks exist, the generated one becomes a strip on an NLA track "LSF"
  above these. The artist's stays active, so Blender plays it on top: on a key that both animate, it decides.
- An artist who wants a layer for their own keys gets an empty Action above the track, whose values are added.
- Two lines on one head (two strips) share the NLA the same way: the first Action moves from active to the track.

A generated Action that was renamed or copied is the artist's from then on. Running again for the same strip replaces
the generated curves inside its Action; curves that the artist has added there stay, and so do the artist's keys on
generated curves (see fcurves.py).
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..errors import UserError
from ..scene.access import ensure_key_animation, key_animation, shape_keys_of
from ..scene.snapshots import Line
from . import fcurves, nla, property_values
from .curve_plan import Keying
from .fcurves import value_path
from .strip_state import StripState

MARK = "lsf_generated"  # custom property on the Action: its name, and the line: strip, scene and first frame
TRACK, REST = "LSF", "LSF rest"
EVERY_FRAME = Keying()


def check(mesh: bpy.types.Mesh, line: Line) -> None:
    """Check that these shape keys can take an Action for a line.

    Raises:
        UserError: The line's Action is linked from another file, or the NLA is in tweak mode, or the NLA is turned off
            although the Action would have to play through it.
    """
    data = key_animation(mesh)
    if data is None:
        return
    action = existing(mesh, line.strip, line.scene)
    if action is not None:
        check_local(action)
    if data.use_tweak_mode:
        raise UserError("Leave the NLA's tweak mode first (Tab in the NLA editor)")
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


def driven_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys whose value has a driver, which would overrule a curve."""
    data = key_animation(mesh)
    drivers = {driver.data_path for driver in data.drivers} if data else set()
    blocks = shape_keys_of(mesh).key_blocks if drivers else ()
    return {key.name for key in blocks if value_path(key.name) in drivers}


def write(
    mesh: bpy.types.Mesh,
    line: Line,
    names: list[str],
    motion: NDArray[np.floating],
    keying: Keying = EVERY_FRAME,
    offset: int = 0,
) -> bpy.types.Action:
    """Write the curves of a line into its Action, which is made if there is none yet, and make it play.

    Args:
        mesh: A mesh with shape keys.
        line: Whose curves they are, and where they begin.
        names: n shape keys.
        motion: (F, n) values, one row a scene frame from line.first_frame + offset on.
        keying: How motion becomes keys.
        offset: Frames by which the curves are later than the line.

    Returns:
        The line's Action.
    """
    keys, data = shape_keys_of(mesh), ensure_key_animation(mesh)
    action = existing(mesh, line.strip, line.scene) or bpy.data.actions.new(f"LSF · {line.strip}")
    mark = action.get(MARK, {})
    before = fcurves.paths(action)
    paths = fcurves.write(
        action,
        names,
        motion,
        line.first_frame + offset,
        keying,
        moved=line.first_frame - mark.get("first_frame", line.first_frame) - fcurves.shift(action),
    )
    gone = before.difference(paths)
    for key in keys.key_blocks:
        if value_path(key.name) in gone:
            key.value = 0.0  # it has no curve any more and would keep its last value
    action[MARK] = {
        "name": action.name,
        "strip": line.strip,
        "scene": line.scene,
        "first_frame": line.first_frame,
    }
    _place(data, action)
    keys.update_tag()
    return action


def existing(mesh: bpy.types.Mesh, strip: str, scene: str) -> bpy.types.Action | None:
    """The Action that was generated for this strip on these shape keys."""
    data = key_animation(mesh)
    for action in nla.actions(data) if data else ():
        if is_generated(action) and (action[MARK]["strip"], action[MARK]["scene"]) == (strip, scene):
            return action
    return None


def spoken_lines(mesh: bpy.types.Mesh) -> list[tuple[str, str]]:
    """Names of strip and scene of every line that was generated for these shape keys and plays on them."""
    data = key_animation(mesh)
    marks = [action[MARK] for action in nla.actions(data) if is_generated(action)] if data else []
    return [(mark["strip"], mark["scene"]) for mark in marks if mark["strip"]]  # the track at rest has no strip


def add_layer(mesh: bpy.types.Mesh) -> bpy.types.Action:
    """Move the active generated Action to a track, and make an empty Action above it, whose values are added.

    Raises:
        UserError: No generated Action is active, or the NLA is turned off or in tweak mode.
    """
    data = key_animation(mesh)
    if data is None or data.action is None or not is_generated(data.action):
        mine = data is not None and data.action is not None
        raise UserError(
            "Your own Action is already active above the generated one"
            if mine
            else "These shape keys have no active generated Action: press Generate first"
        )
    if data.use_tweak_mode or not data.use_nla:
        raise UserError(
            "The NLA of this head's shape keys is turned off, or in tweak mode: turn it on, and leave tweak mode"
        )
    speech, data.action = data.action, None
    _onto_tracks(data, [speech])
    layer = bpy.data.actions.new(f"By hand · {speech.name}")
    compat.key_fcurves(layer)  # makes its slot
    compat.assign_key_action(data, layer)
    data.action_blend_type = "ADD"
    shape_keys_of(mesh).update_tag()
    return layer


def animated_keys(action: bpy.types.Action) -> list[bpy.types.Key]:
    """The shape keys that this Action animates, as their active one or through the NLA."""
    return [keys for keys in bpy.data.shape_keys if keys.animation_data and action in nla.actions(keys.animation_data)]


def update_after_rewrite(action: bpy.types.Action, first_frame: int, moved: bool) -> None:
    """Bring everything about a generated Action up to date, after its curves were written again.

    Args:
        action: A generated Action.
        first_frame: Where the line begins.
        moved: Whether the curves are at other frames than before.
    """
    action[MARK]["first_frame"] = first_frame
    for keys in animated_keys(action):
        if moved and keys.animation_data:
            _place(keys.animation_data, action)
        keys.update_tag()


def overruled(mesh: bpy.types.Mesh, names: list[str]) -> list[str]:
    """Return those of the keys that curves of the artist in the active Action animate, too: these take precedence."""
    data = key_animation(mesh)
    # With another blend type, the artist's Action changes the generated values, but does not replace them.
    if data is None or data.action is None or data.action_blend_type != "REPLACE":
        return []
    active = data.action
    generated = fcurves.paths(active) if is_generated(active) else set()
    theirs = {fcurve.data_path for fcurve in compat.played_fcurves(data)} - generated
    return [name for name in names if value_path(name) in theirs]


def is_generated(action: bpy.types.Action | None) -> bool:
    """Whether this Action was generated, and neither renamed nor copied since."""
    mark = action.get(MARK) if action else None
    return mark is not None and mark.get("name") == action.name


def _place(data: bpy.types.AnimData, action: bpy.types.Action) -> None:
    """Make the Action play; see the module's docstring."""
    if data.action == action:
        compat.assign_key_action(data, action)
        return
    if any(strip.action == action for track in data.nla_tracks if not _is_ours(track) for strip in track.strips):
        return  # the artist has put it on a track of their own
    nla.remove_strips(filter(_is_ours, data.nla_tracks), action)
    if data.action is None and not data.nla_tracks:
        compat.assign_key_action(data, action)
        return
    active = data.action
    if active is not None and is_generated(active):
        data.action = None
        _onto_tracks(data, [active, action])
    else:
        _onto_tracks(data, [action])


def _onto_tracks(data: bpy.types.AnimData, actions: list[bpy.types.Action]) -> None:
    """Make generated Actions play from tracks of ours."""
    active_track = data.nla_tracks.active
    rest = _ensure_rest_track(data) if compat.shape_key_default() != 0 else None
    for action in actions:
        strip = nla.add_strip(data, action, TRACK, _holds_speech)
        strip.extrapolation = "NOTHING"
    if rest is not None:
        _fill_rest_track(data, rest)
    if active_track is not None:
        data.nla_tracks.active = active_track


def _ensure_rest_track(data: bpy.types.AnimData) -> bpy.types.NlaTrack:
    """Return the track "LSF rest"; if there is none, it is made below the tracks with speech.

    Files from before Blender 5.0 have tracks with speech, but no such track.
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
    return named and all(is_generated(strip.action) for strip in track.strips)


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
    earlier = set(action[MARK]["paths"].split("\n")) if action.get(MARK) is not None else set()
    for curve in [curve for curve in curves if curve.data_path in earlier]:
        curves.remove(curve)
    for path in sorted(paths):
        curves.new(path).keyframe_points.insert(0, 0.0)
    action[MARK] = {"name": action.name, "strip": "", "scene": "", "paths": "\n".join(sorted(paths))}
    if not rest.strips:
        strip = rest.strips.new(action.name, 0, action)
        compat.assign_slot(strip, action)
        strip.extrapolation, strip.blend_type = "HOLD", "REPLACE"
