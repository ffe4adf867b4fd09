"""One named shape key per channel, added beside the artist's own and never instead of them.

The names and fingerprints of generated keys are kept on the Key data-block. A generated key that the artist has
sculpted or renamed since is the artist's: its shape stays, only its value is animated.
"""

from collections.abc import Collection
from dataclasses import dataclass

import bpy
import numpy as np

from ..errors import UserError
from ..scene.meshes import base_vertices
from ..scene.shape_keys import MARK, fingerprint, generated_keys, marks
from ..scene.snapshots import RestMesh

MOVES = 1e-3  # a channel that never exceeds this value moves nothing that one could see
INVISIBLE = 0.02  # a curve that overshoots its slider by less is cut off without anybody seeing it
MAX_SLIDER = 10.0  # Blender's own limit


@dataclass(frozen=True)
class KeyPlan:
    """What is to be written. Made before the first change, so that a refusal leaves the file as it was."""

    shapes: dict[str, np.ndarray]  # key name: (V, 3) coordinates, of keys that are new or generated earlier
    animated: list[int]  # channels that get a curve
    names: list[str]  # key names of these
    kept: list[str]  # the artist's keys among them
    driven: list[str]  # the artist's keys that follow a driver and are left alone


def plan(
    obj: bpy.types.Object,
    rest: RestMesh,
    channels: list[str],
    motion: np.ndarray,
    basis: np.ndarray,
    with_driver: set[str],
    moving: np.ndarray,
    reserved: Collection[str] = (),
) -> KeyPlan:
    """Plan keys for motion (F, K) and basis (K, V, 3), in the axes of `rest`. Raises UserError.

    `with_driver` names keys whose value follows a driver: a curve would be overruled, so they get none. `moving` (K,)
    tells which channels move anything, here or on the parts that follow this mesh. `reserved` channels get a key even
    if they rest in this motion.
    """
    mesh = obj.data
    base = base_vertices(mesh)
    if len(base) != basis.shape[1]:
        raise UserError(
            f'The mesh of "{obj.name}" got other vertices while its animation was made: press Generate again'
        )
    existing = {key.name for key in mesh.shape_keys.key_blocks} if mesh.shape_keys else set()
    ours = generated_keys(mesh)
    seen = np.abs(motion).max(0) > MOVES
    shapes, animated, kept, driven = {}, [], [], []
    for k, channel in enumerate(channels):
        theirs = channel in existing and channel not in ours
        moves = bool(seen[k]) and (theirs or bool(moving[k]))
        needed = moves or (channel in reserved and bool(moving[k]))
        if channel in ours or (needed and not theirs):
            shapes[channel] = (base + basis[k] @ rest.to_local).astype(np.float32)
        if moves and channel in with_driver:
            driven.append(channel)
        elif moves:
            animated.append(k)
            if theirs:
                kept.append(channel)
    return KeyPlan(shapes, animated, [channels[k] for k in animated], kept, driven)


def write(obj: bpy.types.Object, plan: KeyPlan, motion: np.ndarray) -> None:
    """Add or replace the generated keys; motion (F, K) tells how far their sliders must reach."""
    mesh = obj.data
    active = obj.active_shape_key_index
    if mesh.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    blocks = mesh.shape_keys.key_blocks
    base = base_vertices(mesh)
    reach = {name: (motion[:, k].min(), motion[:, k].max()) for name, k in zip(plan.names, plan.animated, strict=True)}
    # ID properties come back without order or type guarantees: rebuild the mark.
    written = {name: list(values) for name, values in marks(mesh).items() if name in blocks}
    for name, shape in plan.shapes.items():
        key = blocks.get(name)
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # 5.0 starts at 1
        key.points.foreach_set("co", shape.ravel())
        low, high = reach.get(name, (0.0, 1.0))
        if low < key.slider_min - INVISIBLE:
            key.slider_min = max(-MAX_SLIDER, float(low))
        if high > key.slider_max + INVISIBLE:
            key.slider_max = min(MAX_SLIDER, float(high))
        written[name] = fingerprint(shape - base)
    obj.active_shape_key_index = active
    mesh.shape_keys[MARK] = written
    mesh.update_tag()
