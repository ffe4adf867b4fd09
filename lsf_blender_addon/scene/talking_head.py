"""Adds the project's own neutral head: the one module of `scene` that makes an object."""

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..client.wire import SERVER_PARENT
from .access import active_scene, find_item

NAME = "LSF Head"
SOLID = ("MESH", "CURVE", "SURFACE", "META", "FONT")  # types of objects that can hide the head
LARGEST_OBSTACLE = 4.0  # metres; what is wider in both directions is a room or a ground, in which the head may stand
GAP = 0.1  # metres between the head and what it stands beside
ASSET = SERVER_PARENT / "server" / "face" / "assets" / "head.npz"

# Linear colour and roughness of each, in the order of `material` in the file, see server/face/head.py.
MATERIALS = {
    "skin": ((0.60, 0.36, 0.27), 0.5),
    "lips": ((0.53, 0.27, 0.22), 0.4),
    "sclera": ((0.80, 0.78, 0.75), 0.15),
    "iris": ((0.10, 0.17, 0.20), 0.15),
    "pupil": ((0.01, 0.01, 0.01), 0.1),
    "teeth": ((0.58, 0.53, 0.45), 0.25),
    "gums": ((0.40, 0.13, 0.12), 0.35),
    "tongue": ((0.33, 0.10, 0.09), 0.45),
    "mouth": ((0.08, 0.02, 0.02), 0.6),
}


def add(context: bpy.types.Context) -> bpy.types.Object:
    """Make the head and link it to the active collection; returns its object.

    It is as large as a real head, faces −Y and stands at the 3D cursor, or beside what stands there.
    """
    with np.load(ASSET, allow_pickle=False) as stored:
        vertices, faces, material = stored["vertices"], stored["faces"], stored["material"]
    mesh = bpy.data.meshes.new(NAME)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    for name in MATERIALS:
        mesh.materials.append(_material(name))
    mesh.polygons.foreach_set("material_index", material.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    mesh.update(calc_edges=True)
    mesh.validate()
    obj = bpy.data.objects.new(NAME, mesh)
    obj.location = _free_place(context, vertices.min(0), vertices.max(0))
    context.collection.objects.link(obj)
    return obj


def is_in(scene: bpy.types.Scene) -> bool:
    """Whether a scene has such a head under its own name."""
    return any(obj.type == "MESH" and obj.name.startswith(NAME) for obj in scene.objects)


def _free_place(context: bpy.types.Context, low: NDArray[np.float32], high: NDArray[np.float32]) -> Vector:
    """The place of the head: at the 3D cursor, or at +X beside the objects that would hide it.

    Args:
        context: Tells the 3D cursor and the visible objects.
        low: (3,) smallest coordinates of the head.
        high: (3,) largest coordinates of the head.
    """
    place = np.array(active_scene(context).cursor.location, np.float64)
    assert context.view_layer is not None  # it is set wherever an operator runs
    context.view_layer.update()  # a script may have added or moved objects just now
    boxes = [box for obj in context.visible_objects if (box := _box(obj)) is not None]
    for box in sorted(boxes, key=lambda box: float(box[1, 0])):  # each step leads beyond all boxes before
        if (place + low < box[1]).all() and (place + high > box[0]).all():
            place[0] = box[1, 0] + GAP - low[0]
    return Vector(place.tolist())


def _box(obj: bpy.types.Object) -> NDArray[np.float64] | None:
    """(2, 3) smallest and largest world coordinates of an object that can hide the head; None for others."""
    if obj.type not in SOLID or obj.display_type in {"BOUNDS", "WIRE"}:
        return None
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
    box = np.array([corners.min(0), corners.max(0)])
    is_room = bool((box[1] - box[0])[:2].min() > LARGEST_OBSTACLE)
    return None if is_room else box


def _material(name: str) -> bpy.types.Material:
    """The head's own material of this name in `MATERIALS`; all heads of a file share it."""
    full = f"LSF {name}"
    if (existing := find_item(bpy.data.materials, full)) is not None:
        return existing
    (red, green, blue), roughness = MATERIALS[name]
    material = bpy.data.materials.new(full)
    material.diffuse_color = (red, green, blue, 1)  # type: ignore[assignment]  # for Workbench; stubs take no tuple
    material.roughness = roughness
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (red, green, blue, 1)
    shader.inputs["Roughness"].default_value = roughness
    return material
