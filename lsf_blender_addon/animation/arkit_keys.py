"""Finds the shape keys of a head that show ARKit channels, generated or its own by their mapping, and converts back."""

from collections.abc import Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive
from ..scene import drivers, rig
from ..scene.access import mesh_of


class Match(NamedTuple):
    """The keys of a head that show K channels.

    Attributes:
        keys: Names of N keys.
        gains: How much of each channel a key shows (K, N).
        driven: Channels that only keys show which follow a driver: it would overrule a curve.
        missing: Channels that no key shows.
    """

    keys: list[str]
    gains: NDArray[np.float64]
    driven: list[str]
    missing: list[str]

    def drive(self, channels: Sequence[str], frames: int) -> Drive | None:
        """Return the drive of the keys for a motion of so many frames; None if each channel has a key of its name."""
        shown = _any(self.gains)
        same_names = self.keys == [channel for channel, is_shown in zip(channels, shown, strict=True) if is_shown]
        if same_names and np.array_equal(self.gains[shown], np.eye(len(self.keys))):
            return None
        limits = np.full(len(self.keys), np.inf, np.float32)
        residual = np.zeros((frames, len(self.keys)), np.float32)
        return Drive(tuple(self.keys), self.gains.astype(np.float32), residual, -limits, limits)


def match(head: bpy.types.Object, channels: Sequence[str]) -> Match:
    """Find the keys that show channels.

    Args:
        head: A mesh object, with shape keys or without.
        channels: Names of K channels, in any capitals.
    """
    mesh = mesh_of(head)
    mapping = rig.mapping_of(head) if mesh.shape_keys else None
    direct = mapping.direct if mapping else ()
    gains = mapping.gains(channels) if mapping else np.zeros((len(channels), 0))
    blocks = mesh.shape_keys.key_blocks if mesh.shape_keys else ()
    key_of = {key.name.casefold(): key.name for key in blocks if key.name not in direct}
    names = [*direct, *(key_of[channel.casefold()] for channel in channels if channel.casefold() in key_of)]
    same = np.array([[channel.casefold() == name.casefold() for name in names[len(direct) :]] for channel in channels])
    gains = np.concatenate((gains, same.reshape(len(channels), -1)), 1)
    driven = drivers.driven_keys(mesh)
    kept = [n for n, name in enumerate(names) if name not in driven and gains[:, n].any()]
    moved, shown = _any(gains[:, kept]), _any(gains)
    return Match(
        [names[n] for n in kept],
        gains[:, kept],
        [channel for channel, reached, known in zip(channels, moved, shown, strict=True) if known and not reached],
        [channel for channel, known in zip(channels, shown, strict=True) if not known],
    )


def keys_to_channels(
    head: bpy.types.Object, names: list[str], values: NDArray[np.floating]
) -> tuple[list[str], NDArray[np.float32]]:
    """Convert values of the head's keys to ARKit channels where a channel moves one key alone; the other keys stay.

    A key that follows several channels, as one for both lids, gives each of them the same value.

    Args:
        head: A mesh object with shape keys.
        names: Names of N keys.
        values: Their values (F, N).

    Returns:
        Names of N channels or keys, and their values (F, N).
    """
    mapping = rig.mapping_of(head)
    rows = [row for row in mapping.rows if row.key in mapping.direct and row.gain] if mapping else []
    shared = {row.channel for row in rows if sum(row.channel == other.channel for other in rows) > 1}
    channels: list[str] = []
    columns: list[NDArray[np.floating]] = []
    for name, column in zip(names, values.T, strict=True):
        followed = [row for row in rows if row.key == name]
        gain = sum(row.gain for row in followed)
        if gain and shared.isdisjoint(row.channel for row in followed):
            channels += [row.channel for row in followed]
            columns += [column / gain] * len(followed)
        else:
            channels.append(name)
            columns.append(column)
    return channels, np.stack(columns, 1).astype(np.float32)


def _any(gains: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each channel of gains (K, N) whether a key shows it, bool (K,)."""
    result: NDArray[np.bool_] = (gains != 0).any(1)
    return result
