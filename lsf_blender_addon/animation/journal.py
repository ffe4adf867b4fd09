"""Undoes in place what was written on the curves of generated Actions, if an error occurs half-way: for sliders.

Blender still uses the Action of a slider that moves, so no copy may take its place, as in rollback.py. Only the curves
that change are kept, which costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy

from ..scene import stored
from ..scene.own_properties import lines_of
from . import action_cache, actions, curve_record, generated_curves, property_values

if TYPE_CHECKING:
    from ..ui.properties.lines import LSF_PG_line

RECORDS = (curve_record.PROPERTY, generated_curves.MARK)  # what tells of the curves
OF_A_LINE = ("first_frame", "window", "value_error", "lip_error")  # what is recorded with a line


@contextmanager
def on_error(found: Iterable[bpy.types.Action]) -> Iterator[None]:
    """Undo what is written on the curves of Actions inside the context if it raises an error, which is raised on.

    Args:
        found: The generated Actions.
    """
    records = [(action, {name: stored.plain(action.get(name)) for name in RECORDS}) for action in found]
    lines = [(line, _of_line(line)) for action, _kept in records for line in lines_of(action)]
    values = [
        (key, key.value)
        for action, _kept in records
        for keys in actions.animated_keys(action)
        for key in keys.key_blocks
    ]
    changes: list[generated_curves.Change] = []
    earlier, generated_curves.changes = generated_curves.changes, changes
    try:
        yield
    except BaseException:
        generated_curves.changes = None
        for change in reversed(changes):
            change.undo()
        for action, kept in records:
            for name, value in kept.items():
                if value is None:
                    action.pop(name, None)
                else:
                    action[name] = value
            action_cache.forget(action)
        for line, recorded in lines:
            property_values.restore(line, recorded)
        for key, value in values:
            if key.value != value:
                key.value = value
        raise
    finally:
        generated_curves.changes = earlier
    if earlier is not None:
        earlier += changes


def _of_line(line: LSF_PG_line) -> dict[str, Any]:
    """What is recorded with a line."""
    return {name: tuple(value) if name == "window" else value for name in OF_A_LINE for value in [getattr(line, name)]}
