"""The keys of an F-curve with all their properties as arrays: reads and writes them, many at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .key_reduction import Keys

AXES = ("co", "handle_left", "handle_right")  # frame and value each
NUMBERS = ("amplitude", "period", "back")
ENUMS = ("handle_left_type", "handle_right_type", "interpolation", "easing", "type")
FLAGS = ("select_control_point", "select_left_handle", "select_right_handle")
DEFAULTS = {"amplitude": 0.8, "period": 4.1, "back": 1.70158}  # Blender's own


@dataclass(frozen=True)
class KeyTable:
    """The N keys of a curve.

    Attributes:
        columns: The properties by name: AXES (N, 2), NUMBERS (N,) float; ENUMS (N,), the items' numbers; FLAGS (N,).
    """

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["co"])

    @property
    def frames(self) -> NDArray[np.float64]:
        """Frames (N,) of the keys, in double precision: late ones are to be compared with parts of a frame."""
        return self.columns["co"][:, 0].astype(np.float64)

    def only(self, chosen: NDArray[np.bool_]) -> KeyTable:
        """The keys that are `chosen`, bool (N,)."""
        return KeyTable({name: column[chosen] for name, column in self.columns.items()})

    def later(self, frames: int) -> KeyTable:
        """The keys, with their handles, so many frames later."""
        shift = np.array([frames, 0], np.float32)
        return KeyTable({name: column + shift if name in AXES else column for name, column in self.columns.items()})

    def joined(self, other: KeyTable) -> tuple[KeyTable, NDArray[np.intp]]:
        """The keys of both in order of time.

        Returns:
            The keys, and their former indices (N + M,): those of `other` begin at N.
        """
        columns = {name: np.concatenate((column, other.columns[name])) for name, column in self.columns.items()}
        order = np.argsort(columns["co"][:, 0], kind="stable")
        return KeyTable({name: column[order] for name, column in columns.items()}), order


def read(fcurve: bpy.types.FCurve | None) -> KeyTable:
    """Read the keys of a curve; none of no curve."""
    count = len(fcurve.keyframe_points) if fcurve else 0
    columns = _empty(count)
    for name, column in columns.items() if fcurve and count else ():
        flat = column.ravel()
        fcurve.keyframe_points.foreach_get(name, flat)
        columns[name] = flat.reshape(column.shape)
    return KeyTable(columns)


SHAPE = (*AXES, *ENUMS[:3])  # what the shape of a curve depends on
MANY = 0.1  # share of a curve's keys, above which it is quicker to read all of them at once


def find(fcurve: bpy.types.FCurve, first: float, last: float) -> tuple[int, int]:
    """Return the index of the first key from one frame on, and of the first one after another frame."""
    points = fcurve.keyframe_points
    return bisect_left(points, first, key=_frame), bisect_right(points, last, key=_frame)


def _frame(point: bpy.types.Keyframe) -> float:
    """The frame of a key."""
    return point.co[0]


def read_shape(fcurve: bpy.types.FCurve, first: float, last: float) -> dict[str, NDArray[Any]]:
    """Read the columns of SHAPE, of the keys from one frame to another: quick for few of many keys.

    Args:
        fcurve: The curve.
        first: First frame.
        last: Last frame.
    """
    start, end = find(fcurve, first, last)
    columns, points = {}, fcurve.keyframe_points
    if end - start > MANY * len(points):
        for name in SHAPE:
            width = 2 if name in AXES else 1
            flat = np.empty(len(points) * width, np.float32 if width == 2 else np.int32)
            points.foreach_get(name, flat)
            columns[name] = (flat.reshape(-1, 2) if width == 2 else flat)[start:end]
        return columns
    chosen: Sequence[bpy.types.Keyframe] = points[start:end]
    for name in AXES:
        columns[name] = np.array([getattr(point, name)[:] for point in chosen], np.float32).reshape(-1, 2)
    for name in ENUMS[:3]:
        columns[name] = np.array([enum_number(name, getattr(point, name)) for point in chosen], np.int32)
    return columns


def read_points(fcurve: bpy.types.FCurve) -> NDArray[np.float32]:
    """Read the frames and values (N, 2) of the keys of a curve: faster than `read`."""
    points = np.empty(2 * len(fcurve.keyframe_points), np.float32)
    fcurve.keyframe_points.foreach_get("co", points)
    return points.reshape(-1, 2)


def write(fcurve: bpy.types.FCurve, keys: KeyTable) -> None:
    """Replace the keys of a curve."""
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(keys))
    # The types come before the handles, because they decide where these may be.
    for name in ("co", *ENUMS, *NUMBERS, *FLAGS, *AXES[1:]):
        column = keys.columns[name].ravel()
        points.foreach_set(name, column.astype(np.float32) if name in AXES else column)
    fcurve.update()


def generated(keys: Keys) -> KeyTable:
    """Make Blender's keys of generated ones: aligned handles along their slopes, automatic ones where there is none."""
    columns = _empty(len(keys.frames))
    left, right = keys.handles()
    for name, values in zip(AXES, (np.stack((keys.frames, keys.values), 1), left, right), strict=True):
        columns[name] = np.nan_to_num(values).astype(np.float32)
    for name, number in DEFAULTS.items():
        columns[name][:] = number
    aligned, automatic = (enum_number("handle_left_type", kind) for kind in ("ALIGNED", "AUTO_CLAMPED"))
    for name in ENUMS[:2]:
        columns[name][:] = np.where(keys.automatic, automatic, aligned)
    columns["interpolation"][:] = enum_number("interpolation", "BEZIER")
    columns["easing"][:] = enum_number("easing", "AUTO")
    columns["type"][:] = enum_number("type", "GENERATED")  # the editors show them so
    return KeyTable(columns)


@cache
def enum_number(name: str, identifier: str) -> int:
    """Return the number of an item of a key's enumeration, as foreach_get and foreach_set want it."""
    items: bpy.types.EnumProperty = bpy.types.Keyframe.bl_rna.properties[name]  # type: ignore[assignment]  # stubs: Property
    return items.enum_items[identifier].value


def _empty(count: int) -> dict[str, NDArray[Any]]:
    """Columns of zeros for so many keys."""
    return {
        **{name: np.zeros((count, 2), np.float32) for name in AXES},
        **{name: np.zeros(count, np.float32) for name in NUMBERS},
        **{name: np.zeros(count, np.int32) for name in ENUMS},
        **{name: np.zeros(count, bool) for name in FLAGS},
    }
