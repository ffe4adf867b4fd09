"""Selects the keys of a head that lie in some frames, as a click on a sound does."""

import bpy
import numpy as np

from .. import compat
from . import bone_actions


def select(action: bpy.types.Action, first: int, last: int) -> int:
    """Select the keys of a head between two frames, and no others.

    Args:
        action: The head's generated Action; the bones that channels move count, too.
        first: First frame.
        last: Last frame.

    Returns:
        How many keys are selected.
    """
    bones = (bone_actions.existing(head) for head in bone_actions.heads_of(action))
    total = 0
    for each in (action, *(own for own in bones if own is not None)):
        for curve in compat.fcurves_of(each):
            total += _select(curve, first, last)
    return total


def _select(curve: bpy.types.FCurve, first: int, last: int) -> int:
    """Select the keys of a curve between two frames, and no others; returns how many."""
    points = curve.keyframe_points
    where = np.empty(2 * len(points), np.float32)
    points.foreach_get("co", where)
    chosen = (where[::2] >= first - 0.5) & (where[::2] < last + 0.5)
    for name in ("select_control_point", "select_left_handle", "select_right_handle"):
        points.foreach_set(name, chosen)
    return int(chosen.sum())
