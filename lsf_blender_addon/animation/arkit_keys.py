"""ARKit channels onto the shape keys that a head has, and back: generated ones, and its own by their mapping."""

import bpy
import numpy as np

from ..scene import rig
from . import actions


def onto_keys(
    head: bpy.types.Object, channels: list[str], motion: np.ndarray
) -> tuple[list[str], np.ndarray, list[str]]:
    """Names of keys (N), their values (F, N) for motion (F, K), and the channels that move none of them.

    Keys that follow a driver are passed over: a curve would be overruled.
    """
    mapping = rig.mapping_of(head)
    direct = mapping.direct if mapping else ()
    gains = mapping.gains(channels) if mapping else np.zeros((len(channels), 0))
    named = {key.name.casefold(): key.name for key in head.data.shape_keys.key_blocks if key.name not in direct}
    names = [*direct, *(named[channel.casefold()] for channel in channels if channel.casefold() in named)]
    same = np.array([[channel.casefold() == name.casefold() for name in names[len(direct) :]] for channel in channels])
    gains = np.concatenate((gains, same.reshape(len(channels), -1)), 1)
    driven = actions.driven_keys(head.data)
    kept = [n for n, name in enumerate(names) if name not in driven and gains[:, n].any()]
    unused = [channel for channel, row in zip(channels, gains[:, kept], strict=True) if not row.any()]
    return [names[n] for n in kept], (motion @ gains[:, kept]).astype(np.float32), unused


def as_channels(head: bpy.types.Object, names: list[str], values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Keys that follow one channel alone under the name and at the scale of that; the others as they are."""
    mapping = rig.mapping_of(head)
    rows = [row for row in mapping.rows if row.key in mapping.direct and row.gain] if mapping else []
    of_key = {
        row.key: row
        for row in rows
        if sum(row.key == other.key for other in rows) == 1 and sum(row.channel == other.channel for other in rows) == 1
    }
    scale = [of_key[name].gain if name in of_key else 1.0 for name in names]
    renamed = [of_key[name].channel if name in of_key else name for name in names]
    return renamed, (values / np.array(scale)).astype(np.float32)
