"""Finds the shape keys of a head that show ARKit channels, generated or its own by their mapping, and converts back."""

from collections.abc import Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from ..rigs.drive import Drive, channel_of
from ..rigs.mapping import Mapping
from ..scene import bones, drivers, empty_keys, rig, shape_keys
from ..scene.access import mesh_of


class Match(NamedTuple):
    """The keys of a head that show K channels.

    Attributes:
        keys: Names of N keys.
        gains: How much of each channel a key shows (K, N).
        driven: Channels that only keys show which follow a driver: it would overrule a curve.
        missing: Channels that no key with a shape shows, nor a bone.
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
    empty, driven = empty_keys.find(mesh), drivers.driven_keys(mesh)
    mapping = rig.mapping_of(head) if mesh.shape_keys else None
    mapping = mapping.restricted_to(set(mapping.direct) - empty) if mapping else Mapping("", ())
    direct, gains = mapping.direct, mapping.gains(channels)
    blocks = mesh.shape_keys.key_blocks if mesh.shape_keys else ()
    made_as = {now: name for name, now in shape_keys.renamed(mesh).items()}
    key_of = {
        made_as.get(key.name, key.name).casefold(): key.name
        for key in blocks
        if key.name not in empty and key.name not in direct
    }
    wanted = {channel.casefold() for channel in channels}
    names = [*direct, *(name for form, name in key_of.items() if channel_of(form) in wanted)]
    forms = [made_as.get(name, name).casefold() for name in names[len(direct) :]]
    same = np.array([[channel.casefold() == channel_of(form) for form in forms] for channel in channels])
    gains = np.concatenate((gains, same.reshape(len(channels), -1)), 1)
    kept = [n for n, name in enumerate(names) if name not in driven and gains[:, n].any()]
    on_bones = np.isin(channels, bones.channels(head))
    moved, shown = _any(gains[:, kept]) | on_bones, _any(gains) | on_bones
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
    mapping, generated = rig.mapping_of(head), shape_keys.marked(mesh_of(head))
    made_as = {now: name for name, now in shape_keys.renamed(mesh_of(head)).items()}
    in_place = {
        channel_of(made_as.get(name, name)) for name in names if name in generated
    }  # new keys, also of channels with an own key
    rows = [row for row in mapping.rows if row.key in mapping.direct and row.gain] if mapping else []
    shared = {row.channel for row in rows if sum(row.channel == other.channel for other in rows) > 1}
    channels: list[str] = []
    columns: list[NDArray[np.floating]] = []
    for name, column in zip(names, values.T, strict=True):
        followed = [row for row in rows if row.key == name]
        gain = sum(row.gain for row in followed)
        if name in generated:
            channels.append(channel_of(made_as.get(name, name)))
            columns.append(column)
        elif gain and shared.isdisjoint(row.channel for row in followed):
            left = [row.channel for row in followed if row.channel not in in_place]
            channels += left
            columns += [column / gain] * len(left)
        elif name not in in_place:
            channels.append(name)
            columns.append(column)
    return channels, np.stack(columns, 1).astype(np.float32)


def _any(gains: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each channel of gains (K, N) whether a key shows it, bool (K,)."""
    result: NDArray[np.bool_] = (gains != 0).any(1)
    return result
