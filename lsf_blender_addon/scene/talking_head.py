"""Adds the project's own neutral head: the one module of `scene` that makes an object."""

import bpy
import numpy as np

from ..client.wire import SERVER_PARENT
from .access import active_scene, find_item

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
    """Make the head, link it to the active collection and place it at the 3D cursor; returns its object."""
    with np.load(ASSET, allow_pickle=False) as stored:
        vertices, faces, material = stored["vertices"], stored["faces"], stored["material"]
    mesh = bpy.data.meshes.new("LSF Head")
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
    obj = bpy.data.objects.new("LSF Head", mesh)
    obj.location = active_scene(context).cursor.location
    context.collection.objects.link(obj)
    return obj


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
