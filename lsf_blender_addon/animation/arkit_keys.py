"""Converts curves of ARKit channels to a head's shape keys, generated or its own by their mapping, and back."""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..scene import rig
from ..scene.access import mesh_of
from . import actions


def channels_to_keys(
    head: bpy.types.Object, channels: list[str], motion: NDArray[np.float32]
) -> tuple[list[str], NDArray[np.float32], list[str]]:
    """Convert the motion of ARKit channels to values of the head's keys.

    Keys that follow a driver are left out: it would overrule a curve.

    Args:
        head: A mesh object with shape keys.
        channels: Names of K channels.
        motion: Their values (F, K).

    Returns:
        Names of N keys, their values (F, N), and the channels that move none of them.
    """
    mesh = mesh_of(head)
    mapping = rig.mapping_of(head)
    direct = mapping.direct if mapping else ()
    gains = mapping.gains(channels) if mapping else np.zeros((len(channels), 0))
    key_of = {key.name.casefold(): key.name for key in mesh.shape_keys.key_blocks if key.name not in direct}
    names = [*direct, *(key_of[channel.casefold()] for channel in channels if channel.casefold() in key_of)]
    same = np.array([[channel.casefold() == name.casefold() for name in names[len(direct) :]] for channel in channels])
    gains = np.concatenate((gains, same.reshape(len(channels), -1)), 1)
    driven = actions.driven_keys(mesh)
    kept = [n for n, name in enumerate(names) if name not in driven and gains[:, n].any()]
    unused = [channel for channel, row in zip(channels, gains[:, kept], strict=True) if not row.any()]
    return [names[n] for n in kept], (motion @ gains[:, kept]).astype(np.float32), unused


def keys_to_channels(
    head: bpy.types.Object, names: list[str], values: NDArray[np.floating]
) -> tuple[list[str], NDArray[np.float32]]:
    """Convert values of the head's keys to ARKit channels where a key follows one channel alone; the others stay.

    Args:
        head: A mesh object with shape keys.
        names: Names of N keys.
        values: Their values (F, N).

    Returns:
        Names of N channels or keys, and their values (F, N).
    """
    mapping = rig.mapping_of(head)
    rows = [row for row in mapping.rows if row.key in mapping.direct and row.gain] if mapping else []
    row_of = {
        row.key: row
        for row in rows
        if sum(row.key == other.key for other in rows) == 1 and sum(row.channel == other.channel for other in rows) == 1
    }
    scale = [row_of[name].gain if name in row_of else 1.0 for name in names]
    renamed = [row_of[name].channel if name in row_of else name for name in names]
    return renamed, (values / np.array(scale)).astype(np.float32)
