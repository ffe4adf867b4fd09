"""Writes the layers of a face beside speech: each line has an Action of its own, on an NLA track of the layer's own.

Speech does not animate the layers' keys, so the order of tracks and Actions does not matter. Between lines their
curves hold 0. A layer's Action that was renamed or copied belongs to the artist from then on.
"""

from collections.abc import Iterator

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..prediction.layer_curves import GAZE_CHANNELS
from ..scene.access import ensure_key_animation, key_animation, shape_keys_of
from ..scene.snapshots import Line
from . import actions, nla
from .fcurves import key_name, value_path

MARK = "lsf_layer"  # custom property on the Action
TRACKS = {"blinks": "LSF blinks", "gaze": "LSF gaze"}
LEVEL = 1e-4  # a curve whose values differ by less from frame to frame is level there


def check(mesh: bpy.types.Mesh, line: Line) -> None:
    """Check that the layers of a line can be written again.

    Raises:
        UserError: The Action of one of them is linked from another file.
    """
    data = key_animation(mesh)
    for layer in TRACKS:
        action = _existing(data, line, layer) if data else None
        if action is not None:
            actions.check_local(action)


def write(
    mesh: bpy.types.Mesh, line: Line, layer: str, names: list[str], motion: NDArray[np.floating]
) -> bpy.types.Action | None:
    """Write the curves of a layer, instead of earlier ones of the line.

    Args:
        mesh: The head's mesh.
        line: Where the curves begin, and whose they are.
        layer: One of TRACKS.
        names: n shape keys, which are there.
        motion: (F, n) values, one a frame from line.first_frame on.

    Returns:
        The layer's Action; None for a line in which the layer does nothing, so that there are no names.
    """
    data = ensure_key_animation(mesh)
    action = _existing(data, line, layer)
    if not names:
        _drop(data, action)
        return None
    if action is None:
        action = bpy.data.actions.new(f"{TRACKS[layer]} · {line.strip}")
    fcurves = compat.key_fcurves(action)
    for fcurve in list(fcurves):
        fcurves.remove(fcurve)
    for k, name in enumerate(names):
        fill(fcurves.new(value_path(name)), line.first_frame, motion[:, k])
    action[MARK] = {"name": action.name, "layer": layer, "strip": line.strip, "scene": line.scene}
    _place(data, action, layer)
    shape_keys_of(mesh).update_tag()
    return action


def fill(fcurve: bpy.types.FCurve, first_frame: int, values: NDArray[np.floating]) -> None:
    """Set the keys of an empty curve to values (F,), one a frame from first_frame on, but for level stretches."""
    frames, kept = without_level_keys(values)
    fcurve.keyframe_points.add(len(frames))  # Bézier keys with clamped automatic handles
    co = np.stack((first_frame + frames, kept), 1).astype(np.float32)
    fcurve.keyframe_points.foreach_set("co", co.ravel())
    fcurve.update()


def without_level_keys(values: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Leave out the keys inside level stretches of a curve.

    Args:
        values: (F,) one a frame.

    Returns:
        (n,) indexes of the values that need keys, and (n,) these values.
    """
    level = np.abs(np.diff(values)) < LEVEL
    needed = np.ones(len(values), bool)
    needed[1:-1] = ~(level[:-1] & level[1:])
    return np.flatnonzero(needed), values[needed]


def present(mesh: bpy.types.Mesh, layer: str) -> bool:
    """Whether a line of these keys has this layer."""
    data = key_animation(mesh)
    return data is not None and any(True for _ in _strips(data, layer))


def owned(keys: bpy.types.Key | None) -> set[str]:
    """Names of the shape keys that a layer moves on any line, and of all gaze channels where there is a gaze.

    Speech does not animate these.
    """
    data = keys.animation_data if keys else None
    names: set[str] = set()
    if data is None:
        return names
    for layer in TRACKS:
        for _track, _strip, action in _strips(data, layer):
            paths = {fcurve.data_path for fcurve in compat.fcurves_of(action)}
            names |= {key_name(path) for path in paths if path.startswith("key_blocks[")}
            if layer == "gaze":
                names |= GAZE_CHANNELS
    return names


def remove(mesh: bpy.types.Mesh, layer: str) -> None:
    """Remove a layer from all lines, with its Actions and track, and set its keys to 0."""
    keys, data = shape_keys_of(mesh), ensure_key_animation(mesh)
    played: set[bpy.types.Action] = set()
    paths: set[str] = set()
    for track, strip, action in list(_strips(data, layer)):
        played.add(action)
        paths |= {fcurve.data_path for fcurve in compat.fcurves_of(action)}
        track.strips.remove(strip)
        if nla.is_named(track, TRACKS[layer]) and not track.strips:
            data.nla_tracks.remove(track)
    for action in played:
        if not action.users - action.use_fake_user:
            bpy.data.actions.remove(action)
    for key in keys.key_blocks:
        if value_path(key.name) in paths:
            key.value = 0.0
    keys.update_tag()


def _strips(
    data: bpy.types.AnimData, layer: str
) -> Iterator[tuple[bpy.types.NlaTrack, bpy.types.NlaStrip, bpy.types.Action]]:
    """Tracks and their strips that play this layer, and the Actions of these."""
    for track in list(data.nla_tracks):
        for strip in list(track.strips):
            action = strip.action
            mark = action.get(MARK) if action else None
            if action and mark is not None and mark.get("name") == action.name and mark.get("layer") == layer:
                yield track, strip, action


def _existing(data: bpy.types.AnimData, line: Line, layer: str) -> bpy.types.Action | None:
    """The Action of a layer of this line."""
    for _track, _strip, action in _strips(data, layer):
        if (action[MARK]["strip"], action[MARK]["scene"]) == (line.strip, line.scene):
            return action
    return None


def _drop(data: bpy.types.AnimData, action: bpy.types.Action | None) -> None:
    """Remove an Action from its tracks, and from the file if nothing else uses it."""
    if action is None:
        return
    nla.remove_strips(data.nla_tracks, action)
    if not action.users - action.use_fake_user:
        bpy.data.actions.remove(action)


def _place(data: bpy.types.AnimData, action: bpy.types.Action, layer: str) -> None:
    """Put the Action on the layer's track, or on a second one if its frames are occupied."""

    def is_ours(track: bpy.types.NlaTrack) -> bool:
        """Return whether the track is one of this layer."""
        return nla.is_named(track, TRACKS[layer])

    if any(strip.action == action for track in data.nla_tracks if not is_ours(track) for strip in track.strips):
        return  # the artist has put it on another track
    nla.remove_strips(data.nla_tracks, action)
    active_track = data.nla_tracks.active
    nla.add_strip(data, action, TRACKS[layer], is_ours).extrapolation = "HOLD"
    if active_track is not None:
        data.nla_tracks.active = active_track
