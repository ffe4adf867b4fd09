"""Finds why shape keys of a head do not show, though their curves are right."""

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from ..rigs import families
from ..rigs.mapping import Mapping
from . import rig, shape_keys
from .access import find_item, mesh_of, shape_keys_of
from .meshes import coordinates

Range = tuple[float, float]

SLIDER_SHARE = 0.9  # of the value that is wanted: a slider that ends below it holds the key back
SMALL_SHAPE = (
    0.6  # of the offset that is wanted: an artist's shape may be smaller than the fitted one, and is told then
)
LEAST_SHAPE = 0.2  # of the offset that is wanted: a shape that moves less is told


def find(obj: bpy.types.Object, name: str, value: float, ends: NDArray[np.intp], wanted: float) -> str:
    """Say why a key does not show.

    Args:
        obj: A mesh object with shape keys.
        name: Name of the key.
        value: The value that its curve has.
        ends: Two vertices whose distance the key is meant to change.
        wanted: Change of this distance that is meant, in the object's own units.

    Returns:
        A sentence without its full stop; empty if no fault was found.
    """
    keys = shape_keys_of(mesh_of(obj))
    key = find_item(keys.key_blocks, name)
    if obj.show_only_shape_key and obj.active_shape_key is not None:
        pinned = obj.active_shape_key.name
        return iface('the shape key "{name}" is pinned: unpin it in the Shape Keys panel').format(name=pinned)
    if key is None:
        return ""
    if key.mute:
        return iface('the shape key "{name}" is muted').format(name=name)
    if key.slider_max < SLIDER_SHARE * value:
        return iface('the slider of "{name}" ends at {limit}: raise its Range Max').format(
            name=name, limit=f"{key.slider_max:.2f}"
        )
    offsets = (coordinates(key.points) - coordinates(key.relative_key.points))[ends]
    share = value * float(np.linalg.norm(offsets[0] - offsets[1])) / max(wanted, 1e-12)
    if share < LEAST_SHAPE:
        return iface('"{name}" has no shape that parts the lips').format(name=name)
    if share < SMALL_SHAPE:
        return iface('"{name}" parts the lips less than this face would').format(name=name)
    return ""


def pinned(obj: bpy.types.Object) -> str:
    """Name of the shape key that is pinned, so that no other one shows; empty if none is."""
    key = obj.active_shape_key if obj.show_only_shape_key else None
    return key.name if key is not None else ""


def muted(head: bpy.types.Object) -> list[str]:
    """Names of the keys that a line moves, and that are muted."""
    blocks = _blocks(head)
    return [name for name in wanted_ranges(head) if blocks[name].mute]


def short_sliders(head: bpy.types.Object) -> dict[str, Range]:
    """The keys that a line moves, and whose slider ends before it: the range that each needs."""
    blocks, found = _blocks(head), {}
    for name, (low, high) in wanted_ranges(head).items():
        key = blocks[name]
        if key.slider_max < SLIDER_SHARE * high or key.slider_min > SLIDER_SHARE * low:
            found[name] = min(low, key.slider_min), max(high, key.slider_max)
    return found


def wanted_ranges(head: bpy.types.Object) -> dict[str, Range]:
    """The keys of a head that a line moves, as far as this is known before, and the values that they take then.

    A gain above 1 is the artist's own limit of a channel: no more than 1 is wanted.
    """
    mesh = mesh_of(head)
    own, mapping = rig.own_keys(mesh), rig.mapping_of(head)
    found = dict.fromkeys(sorted(shape_keys.marked(mesh) & _blocks(head).keys()), (0.0, 1.0))
    if mapping is None:
        return found | dict.fromkeys((name for name in own if name in families.channels()), (0.0, 1.0))
    return found | {name: wanted for name, wanted in _mapped_ranges(mapping).items() if name in own}


def _mapped_ranges(mapping: Mapping) -> dict[str, Range]:
    """The values that the keys of a mapping take while its channels go from 0 to 1."""
    found = dict.fromkeys(mapping.solved, (0.0, 1.0))
    for name in mapping.direct:
        gains = [row.gain for row in mapping.rows if row.key == name]
        found[name] = max(-1.0, sum(min(gain, 0.0) for gain in gains)), min(1.0, sum(max(gain, 0.0) for gain in gains))
    return found


def _blocks(head: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """The shape keys of a head by name; empty if it has none."""
    keys = mesh_of(head).shape_keys
    return dict(keys.key_blocks.items()) if keys is not None else {}
