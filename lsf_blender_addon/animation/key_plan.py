"""Plans the shape keys of a mesh for a line: shapes, slider ranges, and which of them are animated. No bpy."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..scene.snapshots import RestMesh

VISIBLE_VALUE = 1e-3  # a channel that never exceeds this value moves nothing visibly
VISIBLE_SHARE = 5e-3  # of the largest offset on the character: a part that a channel moves less does not follow it

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class MeshState:
    """The shape keys of a mesh as they are in the file now."""

    object: str  # its name
    base: NDArray[np.float32]  # (V, 3) the Basis, in the object's own space
    keys: frozenset[str] = frozenset()  # names of all keys
    generated: frozenset[str] = frozenset()  # those that were generated, and not sculpted since
    driven: frozenset[str] = frozenset()  # those whose value a curve of ours would not reach: a driver decides
    can_add_keys: bool = True  # whether new keys, and new shapes of keys, would be saved


@dataclass(frozen=True)
class KeyPlan:
    """What is written to the shape keys of one mesh."""

    shapes: dict[str, NDArray[np.float32]]  # name: (V, 3) coordinates, of keys that are new or generated earlier
    ranges: dict[str, tuple[float, float]]  # name: least and largest value, of those keys among them that are animated
    animated: list[int]  # channels that get a curve
    names: list[str]  # key names of these
    kept: list[str]  # the artist's keys among them
    driven: list[str]  # the artist's keys that follow a driver and are left alone
    impossible: list[str] = field(default_factory=list)  # keys that would move and cannot be added


@dataclass(frozen=True)
class PartPlan:
    """What is written to a part: an object whose shape keys follow those of the head."""

    object: str  # its name
    keys: KeyPlan


def plan(
    state: MeshState,
    rest: RestMesh,
    channels: list[str],
    motion: Floats,
    basis: Floats,
    moving: NDArray[np.bool_],
    reserved: Collection[str] = (),
) -> KeyPlan:
    """Plan the shape keys of one mesh.

    Args:
        state: The mesh as it is in the file.
        rest: The mesh as it was sent to the server.
        channels: K names.
        motion: (F, K) values of the channels, one row a frame.
        basis: (K, V, 3) offsets at value 1, in the axes of `rest`.
        moving: (K,) which channels move anything, here or on the parts that follow this mesh.
        reserved: Channels that get a key even if they rest in this motion.

    Raises:
        UserError: The mesh got other vertices since it was sent.
    """
    if len(state.base) != basis.shape[1]:
        raise UserError(
            f'The mesh of "{state.object}" got other vertices while its animation was made: press Generate again'
        )
    seen = np.abs(motion).max(0) > VISIBLE_VALUE
    shapes: dict[str, NDArray[np.float32]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    animated, kept, driven, impossible = [], [], [], []
    for k, channel in enumerate(channels):
        theirs = channel in state.keys and channel not in state.generated
        moves = bool(seen[k]) and (theirs or bool(moving[k]))
        needed = moves or (channel in reserved and bool(moving[k]))
        if not (theirs or state.can_add_keys):
            impossible += [channel] if moves else []
            continue
        if channel in state.generated or (needed and not theirs):
            shapes[channel] = (state.base + basis[k] @ rest.to_local).astype(np.float32)
        if moves and channel in state.driven:
            driven.append(channel)
        elif moves:
            animated.append(k)
            if theirs:
                kept.append(channel)
            else:
                ranges[channel] = float(motion[:, k].min()), float(motion[:, k].max())
    return KeyPlan(shapes, ranges, animated, [channels[k] for k in animated], kept, driven, impossible)


def plan_parts(
    states: Collection[MeshState],
    pieces: Collection[tuple[RestMesh, Floats]],
    head_keys: set[str],
    channels: list[str],
    motion: Floats,
    largest: float,
) -> list[PartPlan]:
    """Plan the shape keys of the parts, which follow the head's keys of the same names.

    Args:
        states: The parts as they are in the file.
        pieces: For each part its rest shape and its share (K, V, 3) of the basis.
        head_keys: Names of the head's keys that move, or may move later.
        channels: K names.
        motion: (F, K) values of the channels.
        largest: The largest offset of all channels on the character.

    Raises:
        UserError: A part got other vertices since it was sent.
    """
    follows = [k for k, channel in enumerate(channels) if channel in head_keys]
    names, motion = [channels[k] for k in follows], motion[:, follows]
    found = []
    for state, (rest, share) in zip(states, pieces, strict=True):
        moving = np.abs(share[follows]).max((1, 2), initial=0.0) > VISIBLE_SHARE * largest
        keys = plan(state, rest, names, motion, share[follows], moving, head_keys)
        if keys.shapes or keys.animated:
            found.append(PartPlan(state.object, keys))
    return found
