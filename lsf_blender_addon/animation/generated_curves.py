"""The curves of a generated Action under one name each, whether they move shape keys or bones.

The curve of a shape key has its data path as its name; that of a bone has its index, too. A bone's values are counted
from its rest, in units of what the artist's poses move it: so keys are reduced, recorded and compared within the same
bounds as those of shape keys, whose values go from 0 to 1, whatever the size of the rig.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..scene import stored
from . import curve_record, keyframes, property_values
from .curve_record import Record
from .key_reduction import Keys
from .keyframes import KeyTable

MARK = "lsf_bones"  # custom property on an Action for bones: JSON, the Scale of each of its curves by name


class Scale(NamedTuple):
    """How the values of a bone's curve are counted.

    Attributes:
        rest: The curve's value where nothing is said.
        unit: What counts as 1.
        before: Value of the bone's channel before it was animated, to which it goes back.
    """

    rest: float = 0.0
    unit: float = 1.0
    before: float = 0.0


AS_THEY_ARE = Scale()


@dataclass(frozen=True)
class Change:
    """A curve as it was before it was written or removed.

    Attributes:
        curves: The curves that it belongs to.
        name: Its name.
        table: Its keys; None if it was not there.
        settings: Its properties.
    """

    curves: GeneratedCurves
    name: str
    table: KeyTable | None
    settings: property_values.Values

    def undo(self) -> None:
        """Let the curve be as it was."""
        if self.table is None:
            if self.name in self.curves.present:
                self.curves.remove(self.name)
            return
        if self.name not in self.curves.present:
            self.curves.present[self.name] = self.curves._new(self.name)
        curve = self.curves.present[self.name]
        keyframes.write(curve, self.table)
        property_values.restore(curve, self.settings)


changes: list[Change] | None = None  # those since somebody wants to know; see journal.py


class GeneratedCurves:
    """The curves of a generated Action."""

    def __init__(self, action: bpy.types.Action) -> None:
        self.action, self.scales = action, scales(action)
        self.bones = is_for_bones(action)
        curves = compat.fcurves_of_object(action) if self.bones else compat.fcurves_of_keys(action)
        self.present = {self._name(curve): curve for curve in curves}

    def read(self, name: str) -> KeyTable:
        """Read the keys of a curve; none if there is no curve."""
        table = keyframes.read(self.present.get(name))
        return _counted(table, self.scales.get(name, AS_THEY_ARE))

    def read_points(self, name: str) -> NDArray[np.floating]:
        """Read frames and values (N, 2) of the keys of a curve: faster than `read`."""
        points = keyframes.read_points(self.present[name])
        rest, unit, _before = self.scales.get(name, AS_THEY_ARE)
        return points if (rest, unit) == AS_THEY_ARE[:2] else (points - [0, rest]) / [1, unit]

    def read_shape(self, name: str, first: float, last: float) -> dict[str, NDArray[Any]]:
        """Read what the shape of a curve depends on from one frame to another, see keyframes.read_shape."""
        columns = keyframes.read_shape(self.present[name], first, last)
        return _counted(KeyTable(columns), self.scales.get(name, AS_THEY_ARE)).columns

    def write(self, name: str, table: KeyTable) -> None:
        """Replace the keys of a curve, which is made if it is missing."""
        curve = self.present.get(name)
        self._note(name, curve)
        if curve is None:
            curve = self.present[name] = self._new(name)
        rest, unit, _before = self.scales.get(name, AS_THEY_ARE)
        keyframes.write(curve, _counted(table, Scale(-rest / unit, 1 / unit)))

    def remove(self, name: str) -> None:
        """Remove a curve."""
        self._note(name, self.present[name])
        curves = compat.object_fcurves(self.action) if self.bones else compat.key_fcurves(self.action)
        curves.remove(self.present.pop(name))

    def _note(self, name: str, curve: bpy.types.FCurve | None) -> None:
        """Note how a curve is before it changes, while somebody wants to know."""
        if changes is not None:
            table, settings = (keyframes.read(curve), property_values.read(curve)) if curve else (None, {})
            changes.append(Change(self, name, table, settings))

    def _name(self, curve: bpy.types.FCurve) -> str:
        """Return the name of a curve."""
        return f"{curve.data_path}[{curve.array_index}]" if self.bones else curve.data_path

    def _new(self, name: str) -> bpy.types.FCurve:
        """Make a curve."""
        if not self.bones:
            return compat.key_fcurves(self.action).new(name)
        path, index = split(name)
        return compat.object_fcurves(self.action).new(path, index=index)


def is_for_bones(action: bpy.types.Action | None) -> bool:
    """Return whether this is a generated Action for bones."""
    return action is not None and stored.text(action, MARK) is not None


def split(name: str) -> tuple[str, int]:
    """Return data path and index of a bone's curve."""
    path, index = name[:-1].rsplit("[", 1)
    return path, int(index)


def scales(action: bpy.types.Action) -> dict[str, Scale]:
    """Return how the values of an Action's curves are counted, by name; nothing if that cannot be read."""
    kept = {name: stored.numbers(value, 3) for name, value in stored.document(action.get(MARK)).items()}
    return {name: Scale(*values) for name, values in kept.items() if values is not None and values[1]}


def set_scales(action: bpy.types.Action, new: Mapping[str, Scale]) -> None:
    """Count the values of an Action's curves in another way. The curves stay, their record is converted."""
    old = scales(action)
    if new == old and is_for_bones(action):
        return
    record = curve_record.load(action)
    keys = {}
    for name, known in record.keys.items():
        was, now = old.get(name, AS_THEY_ARE), new.get(name, AS_THEY_ARE)
        ratio = was.unit / now.unit
        keys[name] = Keys(known.frames, known.values * ratio + (was.rest - now.rest) / now.unit, known.slopes * ratio)
    curve_record.store(action, Record(keys, record.ranges))
    action[MARK] = json.dumps(new)


def _counted(table: KeyTable, scale: Scale) -> KeyTable:
    """Return keys with their values counted from a rest in a unit.

    In double precision, so that keys of the artist come back as exactly the same single-precision numbers.
    """
    rest, unit, _before = scale
    if (rest, unit) == AS_THEY_ARE[:2]:
        return table
    return KeyTable(
        {
            name: (column.astype(np.float64) - [0, rest]) / [1, unit] if name in keyframes.AXES else column
            for name, column in table.columns.items()
        }
    )
