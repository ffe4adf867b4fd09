"""From the sliders of a line to its curves: the prediction kept on the Action is tweaked, thinned and written again."""

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np

from .. import compat
from ..errors import UserError
from ..prediction import rig_drive, store, tweaks
from ..prediction.store import Prediction
from ..scene import strips
from ..scene.selection import head_of
from . import actions, fcurves, key_reduction, layers, nla, shape_keys

DENSITY = 0.5  # of keys, where the error cannot be seen
DECADES = 2.0  # that the error bound goes through as the density goes from 0 to 1


def current(context: bpy.types.Context) -> bpy.types.Action:
    """The generated Action of the chosen head and strip, with its prediction. Raises UserError if there is none."""
    head = head_of(context)
    if head is None or head.type != "MESH":
        raise UserError("Select the head: a mesh object")
    scene = compat.sequencer_scene(context)
    action = None
    try:
        action = actions.existing(head.data, strips.find_strip(scene, context.scene.lsf.strip).name, scene.name)
    except UserError:  # the strip is gone: what was made of it can still be tweaked
        data = head.data.shape_keys.animation_data if head.data.shape_keys else None
        if data and actions.is_generated(data.action):
            action = data.action
    if action is None:
        raise UserError(f'Nothing was generated for this strip on "{head.name}" yet: press Generate')
    if store.PROPERTY not in action:
        raise UserError(f'"{action.name}" keeps no prediction: press Generate to make one')
    if action.library:
        raise UserError(
            f'"{action.name}" is linked from another file: make it local first (Object > Relations > Make Local)'
        )
    return action


def tweaked(predicted: Prediction, action: bpy.types.Action | None) -> np.ndarray:
    """Motion (F, K) as the sliders of the Action have it; as it was predicted without one."""
    values = _values(action.lsf) if action else tweaks.Tweaks()
    return tweaks.apply(
        values, predicted.channels, predicted.fps, predicted.motion, predicted.expression, predicted.lips
    )


def keying(predicted: Prediction, columns: Sequence[int], action: bpy.types.Action | None) -> fcurves.Keying:
    """How the columns of the motion on keys, see rig_drive.on_keys, become F-curves."""
    return fcurves.Keying(
        _bound(action.lsf.density if action else DENSITY), predicted.lips[list(columns)], predicted.fps
    )


def offset(action: bpy.types.Action | None) -> int:
    """Frames by which the curves are late."""
    return action.lsf.offset if action else 0


def list_channels(action: bpy.types.Action, predicted: Prediction) -> None:
    """Give each channel its switch."""
    channels = action.lsf.channels
    if [channel.name for channel in channels] != list(predicted.channels):
        muted = {channel.name for channel in channels if channel.muted}
        channels.clear()
        for name in predicted.channels:
            channel = channels.add()
            channel.name = name
            if name in muted:
                channel.muted = True


def refresh_all(mesh: bpy.types.Mesh) -> None:
    """Write the generated curves of all lines on these keys again."""
    for action in nla.actions(mesh.shape_keys.animation_data):
        refresh(action)


def refresh(action: bpy.types.Action, keep: bool = True) -> None:
    """Write the Action's curves again, as its sliders are now; quick. The artist's keys go if not `keep`.

    An Action that is not ours any more, is linked, or has lost its prediction, is left alone. Curves that the artist
    has moved in time all together stay there.
    """
    predicted = None if action.library or not actions.is_generated(action) else store.load(action)
    if predicted is None:
        return
    if moved := fcurves.shift(action):
        store.move(action, moved)
        predicted = replace(predicted, first_frame=predicted.first_frame + moved)
    on_keys = rig_drive.on_keys(rig_drive.load(action), predicted, tweaked(predicted, action))
    motion = on_keys.motion
    players = actions.players(action)
    names = {key.name for keys in players for key in keys.key_blocks}
    names -= {name for keys in players for name in actions.driven_keys(keys.user) | layers.owned(keys)}
    written = fcurves.paths(action)
    moves = np.abs(motion).max(0) > shape_keys.MOVES
    columns = [
        k
        for k, name in enumerate(on_keys.channels)
        if name in names and (moves[k] or fcurves.value_path(name) in written)
    ]
    first_frame = predicted.first_frame + offset(action)
    before = tuple(action.curve_frame_range)
    paths = fcurves.write(
        action,
        [on_keys.channels[k] for k in columns],
        motion[:, columns],
        first_frame,
        keying(on_keys, columns, action),
        keep=keep,
        revive=not keep,
    )
    actions.rewritten(action, paths, predicted.first_frame, moved=tuple(action.curve_frame_range) != before)


def _values(settings) -> tweaks.Tweaks:
    """What the sliders, an LSF_PG_tweaks, say."""
    return tweaks.Tweaks(
        settings.jaw,
        settings.lips,
        settings.cheeks,
        settings.brows,
        settings.lids,
        settings.smile,
        settings.emotion,
        settings.smoothing,
        settings.closure,
        frozenset(channel.name for channel in settings.channels if channel.muted),
    )


def _bound(density: float) -> key_reduction.Bound | None:
    """The error that a density of keys allows; none where every frame has its key."""
    if density >= 1:
        return None
    factor = 10 ** (DECADES * (DENSITY - density))
    return key_reduction.Bound(key_reduction.Bound.value * factor, key_reduction.Bound.millimetres * factor)
