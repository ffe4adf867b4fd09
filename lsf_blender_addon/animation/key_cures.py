"""Mends what keeps shape keys of a head from showing: for buttons, when the artist presses them."""

from collections.abc import Mapping

import bpy

from ..prediction import store, takes
from ..scene.access import mesh_of, shape_keys_of
from ..scene.own_properties import lines_of
from . import actions, lines


def unmute(head: bpy.types.Object, names: list[str]) -> None:
    """Let muted keys show again."""
    blocks = shape_keys_of(mesh_of(head)).key_blocks
    for name in names:
        blocks[name].mute = False


def widen(head: bpy.types.Object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Widen the sliders of keys, and let the head's lines use the new range.

    Args:
        head: A mesh object with shape keys.
        ranges: Names of keys, and the ends of their new range.
    """
    mesh = mesh_of(head)
    blocks = shape_keys_of(mesh).key_blocks
    for name, (low, high) in ranges.items():
        blocks[name].slider_min, blocks[name].slider_max = low, high
    action = actions.existing(mesh)
    if action is None or action.library is not None:
        return
    for record in lines_of(action):
        store.set_limits(store.record_of(action, store.PROPERTY, record.uid), ranges)
        takes.set_limits(action, record.uid, ranges)
        lines.refresh(action, record)
