"""Typed access to Blender's data where the stubs of its API call a pointer optional, or do not know its type."""

from typing import TypeVar

import bpy

from ..errors import UserError

Item = TypeVar("Item")


def active_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The context's scene, which is set wherever the add-on runs."""
    assert context.scene is not None
    return context.scene


def mesh_of(obj: bpy.types.Object | None) -> bpy.types.Mesh:
    """The mesh of a mesh object.

    Raises:
        UserError: There is no object, or it is of another type.
    """
    if obj is None or not isinstance(obj.data, bpy.types.Mesh):
        raise UserError("Select the head: a mesh object")
    return obj.data


def depsgraph_of(layer: bpy.types.ViewLayer) -> bpy.types.Depsgraph:
    """The dependency graph of a view layer, which exists once the layer was updated."""
    assert layer.depsgraph is not None
    return layer.depsgraph


def find_item(collection: "bpy.types.bpy_prop_collection[Item]", name: str) -> Item | None:
    """The item of this name in a collection, or None: the stubs of `get` do not say that it may find nothing."""
    return collection.get(name)


def shape_keys_of(mesh: bpy.types.Mesh) -> bpy.types.Key:
    """The shape keys of a mesh that is known to have some."""
    assert mesh.shape_keys is not None
    return mesh.shape_keys


def key_animation(mesh: bpy.types.Mesh) -> bpy.types.AnimData | None:
    """The animation data of a mesh's shape keys; None without keys or animation."""
    return mesh.shape_keys.animation_data if mesh.shape_keys else None


def ensure_key_animation(mesh: bpy.types.Mesh) -> bpy.types.AnimData:
    """The animation data of the shape keys of a mesh that is known to have some; it is made if it is missing."""
    keys = shape_keys_of(mesh)
    data = keys.animation_data or keys.animation_data_create()
    assert data is not None
    return data
