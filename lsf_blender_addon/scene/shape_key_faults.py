"""Finds why a shape key of a head does not show, though its curve is right."""

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface
from numpy.typing import NDArray

from .access import find_item, mesh_of, shape_keys_of
from .meshes import coordinates

SLIDER_SHARE = 0.9  # of the value that is wanted: a slider that ends below it holds the key back
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
    if value * float(np.linalg.norm(offsets[0] - offsets[1])) < LEAST_SHAPE * wanted:
        return iface('"{name}" has no shape that parts the lips').format(name=name)
    return ""
