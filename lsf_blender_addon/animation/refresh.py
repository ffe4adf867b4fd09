"""Writes the curves of a line again after a slider was moved, from the prediction that its Action keeps."""

from dataclasses import replace

import bpy
import numpy as np

from .. import compat
from ..errors import UserError
from ..prediction import store
from ..prediction.store import Prediction
from ..prediction.tweaks import Tweaks
from ..scene import strips
from ..scene.access import key_animation, mesh_of
from ..scene.own_properties import settings_of, tweaks_of
from ..scene.selection import head_of
from . import actions, curve_plan, fcurves, layers, nla
from .curve_plan import Sliders
from .key_plan import VISIBLE_VALUE


def current(context: bpy.types.Context) -> bpy.types.Action:
    """The generated Action of the chosen head and strip, with its prediction.

    Raises:
        UserError: There is none, or it is linked from another file.
    """
    head = head_of(context)
    mesh = mesh_of(head)
    scene = compat.sequencer_scene(context)
    action = None
    try:
        strip = strips.find_strip(scene, settings_of(context.scene).strip)
        action = actions.existing(mesh, strip.name, scene.name)
    except UserError:  # the strip is gone: what was made of it can still be tweaked
        data = key_animation(mesh)
        if data and actions.is_generated(data.action):
            action = data.action
    if action is None:
        raise UserError(f'Nothing was generated for this strip on "{head.name if head else ""}" yet: press Generate')
    if not store.is_stored(action):
        raise UserError(f'"{action.name}" keeps no prediction: press Generate to make one')
    actions.check_local(action)
    return action


def sliders(action: bpy.types.Action | None) -> Sliders:
    """What the artist has set for the Action's curves; the defaults without an Action."""
    if action is None:
        return Sliders()
    values = tweaks_of(action)
    muted = frozenset(channel.name for channel in values.channels if channel.muted)
    tweaks = Tweaks(
        values.jaw,
        values.lips,
        values.cheeks,
        values.brows,
        values.lids,
        values.smile,
        values.emotion,
        values.smoothing,
        values.closure,
        muted,
    )
    return Sliders(tweaks, values.density, values.offset)


def list_channels(action: bpy.types.Action, predicted: Prediction) -> None:
    """Give each channel of the prediction its mute switch."""
    channels = tweaks_of(action).channels
    if [channel.name for channel in channels] != list(predicted.channels):
        muted = {channel.name for channel in channels if channel.muted}
        channels.clear()
        for name in predicted.channels:
            channel = channels.add()
            channel.name = name
            if name in muted:
                channel.muted = True


def refresh_all(mesh: bpy.types.Mesh) -> None:
    """Write the generated curves of all lines on the mesh's shape keys again."""
    data = key_animation(mesh)
    for action in nla.actions(data) if data else ():
        refresh(action)


def refresh(action: bpy.types.Action, keep: bool = True) -> None:
    """Write the Action's curves again with the present values of its sliders; quick.

    An Action that is the artist's, is linked, or has lost its prediction is not changed. If the artist has moved all
    curves in time, they stay at their new frames.

    Args:
        action: A generated Action.
        keep: Whether the artist's keys on generated curves stay.
    """
    predicted = None if action.library or not actions.is_generated(action) else store.load(action)
    if predicted is None:
        return
    if moved := fcurves.shift(action):
        store.move(action, moved)
        predicted = replace(predicted, first_frame=predicted.first_frame + moved)
    settings = sliders(action)
    on_keys = curve_plan.retarget(predicted, settings)
    names = _free_keys(action)
    written = fcurves.paths(action)
    moves = np.abs(on_keys.motion).max(0) > VISIBLE_VALUE
    names &= {name for k, name in enumerate(on_keys.channels) if moves[k] or fcurves.value_path(name) in written}
    plan = curve_plan.plan(on_keys, names, settings)
    before = action.curve_frame_range[:]
    fcurves.write(
        action,
        plan.names,
        plan.motion,
        plan.first_frame + plan.offset,
        plan.keying,
        keep=keep,
        restore_deleted=not keep,
    )
    actions.update_after_rewrite(action, predicted.first_frame, moved=action.curve_frame_range[:] != before)


def _free_keys(action: bpy.types.Action) -> set[str]:
    """Names of the shape keys that the Action animates, but for those that drivers or layers move."""
    names: set[str] = set()
    taken: set[str] = set()
    for keys in actions.animated_keys(action):
        names |= {key.name for key in keys.key_blocks}
        taken |= layers.owned(keys)
        if isinstance(keys.user, bpy.types.Mesh):
            taken |= actions.driven_keys(keys.user)
    return names - taken
