"""NLA strips as plain values, from which they can be made again, and the Action that an AnimData or a strip plays.

Strip modifiers are lost: Blender's API cannot set all of their properties.
"""

from __future__ import annotations

from typing import NamedTuple

import bpy

from .. import compat
from . import nla, property_values

# Properties of a strip that follow from others, and those that `ActionUse` records.
NOT_RECORDED = {
    "frame_start",
    "frame_end",
    "frame_start_ui",
    "frame_end_ui",
    "action",
    "action_slot_handle",
    "last_slot_identifier",
}

ActionUser = bpy.types.AnimData | bpy.types.NlaStrip


def identity(block: bpy.types.ID) -> tuple[str, str]:
    """Return what tells a data-block from others of its type: its name, and the file that it is linked from."""
    return block.name, block.library.filepath if block.library else ""


class ActionUse(NamedTuple):
    """Which Action an AnimData or a strip plays, and which slot of it.

    Attributes:
        action: Identity of the Action; None where nothing is played.
        slot: Handle of the slot.
        last_slot: Identifier of the slot that was used last.
    """

    action: tuple[str, str] | None
    slot: int = 0
    last_slot: str = ""


def action_use(user: ActionUser) -> ActionUse:
    """Return which Action and slot an AnimData or a strip plays."""
    action = identity(user.action) if user.action else None
    if not compat.has_slots():
        return ActionUse(action)
    return ActionUse(action, user.action_slot_handle, user.last_slot_identifier)


def play(user: ActionUser, use: ActionUse) -> None:
    """Let an AnimData or a strip play what it played."""
    if action_use(user) == use:
        return
    user.action = _find_action(use)
    if compat.has_slots():
        slots = user.action.slots if user.action else ()
        user.action_slot = next((slot for slot in slots if slot.handle == use.slot), None) if user.action else None
        user.last_slot_identifier = use.last_slot


class StripState:
    """An NLA strip with all its properties, its Action, and the keys of its influence and time."""

    def __init__(self, strip: bpy.types.NlaStrip) -> None:
        self.use = action_use(strip)
        self.values = {name: value for name, value in property_values.read(strip).items() if name not in NOT_RECORDED}
        self.curves = {
            curve.data_path: [property_values.read(key) for key in curve.keyframe_points] for curve in strip.fcurves
        }

    def is_same(self, strip: bpy.types.NlaStrip) -> bool:
        """Return whether the strip is as it was recorded."""
        other = StripState(strip)
        return (self.use, self.values, self.curves) == (other.use, other.values, other.curves)

    def add_to(self, track: bpy.types.NlaTrack) -> None:
        """Make the strip again; does nothing if its Action is gone."""
        action = _find_action(self.use)
        if action is None:
            return
        strip = nla.new_short_strip(track, self.values["name"], int(self.values["frame_start_raw"]), action)
        play(strip, self.use)
        for _ in range(2):  # some properties change others
            property_values.restore(strip, self.values)
        for path, keys in self.curves.items():  # the properties above have made the curves
            points = strip.fcurves.find(path).keyframe_points
            points.clear()
            points.add(len(keys))
            for point, values in zip(points, keys, strict=True):
                property_values.restore(point, values)


def _find_action(use: ActionUse) -> bpy.types.Action | None:
    """Return the Action that was in use, if it is still there."""
    return next((action for action in bpy.data.actions if identity(action) == use.action), None)
