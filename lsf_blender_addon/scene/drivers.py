"""Finds the shape keys that drivers move."""

import bpy

from .access import key_animation, shape_keys_of


def driven_keys(mesh: bpy.types.Mesh) -> set[str]:
    """Names of the keys whose value has a driver, which would overrule a curve."""
    data = key_animation(mesh)
    paths = {driver.data_path for driver in data.drivers} if data else set()
    blocks = shape_keys_of(mesh).key_blocks if paths else ()
    return {key.name for key in blocks if key.path_from_id("value") in paths}
