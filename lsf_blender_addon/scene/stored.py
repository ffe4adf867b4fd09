"""Reads what a file holds under the add-on's names. No bpy.

A custom property of such a name may be of another tool, of another version, or damaged. Then it is foreign: these
functions return what stands for nothing. Foreign values stay in the file, until the add-on has to write under the name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

LATEST = 2**20  # frame: scenes of Blender end before it
LONGEST = 2**24  # characters of a text that is read as JSON
UNREADABLE = (ValueError, TypeError, RecursionError, MemoryError)  # what text that is no JSON raises


def group(owner: Any, name: str) -> Any | None:
    """The group of properties of this name in a data-block or another group; None if that is something else."""
    value = owner.get(name) if owner is not None else None
    return value if is_group(value) else None


def is_group(value: Any) -> bool:
    """Whether a value is a group of properties."""
    return hasattr(value, "to_dict")


def text(owner: Any, name: str) -> str | None:
    """The text of this name; None if that is something else."""
    value = owner.get(name)
    return value if isinstance(value, str) else None


def is_on(owner: Any, name: str) -> bool:
    """Whether the mark of this name is set."""
    value = owner.get(name)
    return isinstance(value, (bool, int)) and value == 1


def numbers(value: Any, count: int) -> list[float] | None:
    """So many finite numbers; None if a value is something else."""
    try:
        found = [float(number) for number in value] if not isinstance(value, (str, bytes)) else []
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def document(value: Any) -> dict[str, Any]:
    """What a text of JSON holds, by name; nothing if the value is no such text."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return {}
    try:
        found = json.loads(value)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def frame(value: Any) -> int | None:
    """A frame, or a number of frames, that a scene may have; None if a value is something else."""
    found = numbers([value], 1) if not isinstance(value, str) else None
    return int(found[0]) if found and abs(found[0]) < LATEST else None


def frame_in(word: str) -> int | None:
    """The frame that a word names; None if it names none."""
    return frame(int(word)) if word.removeprefix("-").isdecimal() and len(word) < 9 else None


def plain(value: Any) -> Any:
    """A value as it can be set again."""
    if is_group(value):
        return value.to_dict()
    return value.to_list() if hasattr(value, "to_list") else value


def names(value: Any) -> Mapping[str, Any]:
    """What a group of properties holds by name; nothing if it is none."""
    return {name: value[name] for name in value.keys()} if is_group(value) else {}  # noqa: SIM118  # no dictionary
