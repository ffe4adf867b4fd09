"""Reads meshes at rest and as they are evaluated now. Nothing is changed."""

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..errors import UserError
from .access import depsgraph_of, mesh_of
from .head_motion import matrix_without_head_motion
from .snapshots import RestMesh

# Modifiers that belong to the shape of a mesh at rest and keep its vertices. Armatures, caches and simulations are left
# out: they pose the mesh, and at rest they do nothing.
SHAPING_MODIFIERS = {
    "CAST",
    "CORRECTIVE_SMOOTH",
    "CURVE",
    "DISPLACE",
    "HOOK",
    "LAPLACIANDEFORM",
    "LAPLACIANSMOOTH",
    "LATTICE",
    "MESH_DEFORM",
    "SHRINKWRAP",
    "SIMPLE_DEFORM",
    "SMOOTH",
    "SURFACE_DEFORM",
    "WARP",
}


def check(obj: bpy.types.Object | None) -> None:
    """Make sure that shape keys can be added to an object.

    Raises:
        UserError: It is no mesh object, or its mesh is linked, shared, being edited, empty or half a head.
    """
    mesh = mesh_of(obj)
    assert obj is not None
    check_local(obj)
    if mesh.users - mesh.use_fake_user > 1:
        raise UserError(
            f'The mesh of "{obj.name}" is shared with other objects: make it a single user first '
            "(Object > Relations > Make Single User > Object & Data)"
        )
    if obj.mode != "OBJECT":
        raise UserError(f'Go to Object Mode first: "{obj.name}" is being edited')
    if mesh.shape_keys is not None and not mesh.shape_keys.use_relative:
        raise UserError(f'"{obj.name}" has absolute shape keys: turn on Relative in its shape key settings')
    if not len(mesh.polygons):
        raise UserError(f'"{obj.name}" has no faces: select a head with a surface')
    if any(m.type == "MIRROR" and m.show_viewport for m in obj.modifiers):
        raise UserError(f'"{obj.name}" holds half a head and a Mirror modifier: apply the modifier first')


def check_local(obj: bpy.types.Object) -> None:
    """Make sure that Blender saves what is animated on a mesh object: changes of linked data are lost.

    On a library override of object and mesh, Blender saves values, Actions and drivers of the keys that are there.

    Raises:
        UserError: The object or its mesh is linked from another file.
    """
    if obj.library:
        raise UserError(
            f'"{obj.name}" is linked from another file: make an override of it first (Object > Library Override > Make)'
        )
    if mesh_of(obj).library:
        raise UserError(
            f'The mesh of "{obj.name}" is linked from another file: press Check Character, then Override the Mesh'
        )


def keeps_new_keys(mesh: bpy.types.Mesh) -> bool:
    """Whether Blender saves new shape keys, their shapes and slider ranges: on a library override it does not."""
    return mesh.override_library is None


def read_rest(obj: bpy.types.Object) -> RestMesh:
    """The mesh at rest: the base of the shape keys, bent by the shaping modifiers, rotated and scaled as the object is.

    Shaping modifiers that change the number of vertices are ignored, because shape keys live on the base vertices.

    Raises:
        UserError: Shape keys cannot be added to the object (see `check`), or its scale is 0.
    """
    check(obj)
    mesh = mesh_of(obj)
    local = _shaped(obj) if any(is_shaping(m) for m in obj.modifiers) else None
    if local is None:
        local = base_vertices(mesh)
    world = np.array(rest_matrix(obj), np.float64)
    matrix = world[:3, :3]
    if abs(np.linalg.det(matrix)) < 1e-12 or not np.isfinite(matrix).all():
        raise UserError(f'"{obj.name}" is scaled to nothing: give it a scale')
    triangles = read_triangles(mesh)
    if np.linalg.det(matrix) < 0:  # mirrored: keep the normals outside
        triangles = triangles[:, ::-1]
    vertices = (local @ matrix.T).astype(np.float32)
    to_local = np.asarray(np.linalg.inv(matrix).T, np.float64)
    return RestMesh(obj.name, world[:3, 3], vertices, np.ascontiguousarray(triangles), to_local)


def base_vertices(mesh: bpy.types.Mesh) -> NDArray[np.float32]:
    """(V, 3) positions of the Basis key, or of the vertices of a mesh without keys, in the object's own space."""
    return coordinates(mesh.shape_keys.reference_key.points if mesh.shape_keys else mesh.vertices)


def evaluated_vertices(obj: bpy.types.Object) -> NDArray[np.float64]:
    """(V, 3) world positions as they are on the screen now; at rest, if modifiers change the number of vertices.

    Raises:
        UserError: Modifiers change the number of vertices, and the mesh cannot be read at rest (see `read_rest`).
    """
    local = evaluated_coordinates(obj, bpy.context.evaluated_depsgraph_get())
    if local is None:
        rest = read_rest(obj)
        return rest.vertices + rest.origin
    return to_world(local, obj)


def evaluated_coordinates(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> NDArray[np.float32] | None:
    """(V, 3) evaluated vertices in the object's own space; None if modifiers change their number."""
    evaluated = mesh_of(obj.evaluated_get(depsgraph))
    return coordinates(evaluated.vertices) if len(evaluated.vertices) == len(mesh_of(obj).vertices) else None


def to_world(local: NDArray[np.float32], obj: bpy.types.Object) -> NDArray[np.float64]:
    """(N, 3) world positions of points (N, 3) in the object's own space."""
    matrix = np.array(obj.matrix_world, np.float64)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def coordinates(points: bpy.types.bpy_prop_collection) -> NDArray[np.float32]:
    """(N, 3) positions of vertices, or of the points of a shape key."""
    flat = np.empty(len(points) * 3, np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def read_triangles(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """(T, 3) vertex indices of the triangulated faces."""
    flat = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", flat)
    return flat.reshape(-1, 3)


def rest_matrix(obj: bpy.types.Object) -> Matrix:
    """World matrix of the object; with the armature at rest, if its parent is a bone, as for an eye or teeth."""
    bone = obj.parent.data.bones.get(obj.parent_bone) if obj.parent and obj.parent.type == "ARMATURE" else None
    if obj.parent_type != "BONE" or bone is None or obj.constraints:
        return matrix_without_head_motion(obj)
    tail = Matrix.Translation((0, bone.length, 0))
    return obj.parent.matrix_world @ bone.matrix_local @ tail @ obj.matrix_parent_inverse @ obj.matrix_basis


def is_shaping(modifier: bpy.types.Modifier) -> bool:
    """Whether a modifier takes part in the mesh's shape at rest."""
    return modifier.show_viewport and modifier.type in SHAPING_MODIFIERS


def _shaped(obj: bpy.types.Object) -> NDArray[np.float32] | None:
    """(V, 3) after the shaping modifiers, evaluated on a copy in a scene of its own; None if the count changed."""
    scene = bpy.data.scenes.new("LSF rest")
    copy = obj.copy()
    assert copy is not None
    copy.data = mesh_of(obj).copy()
    try:
        copy.show_only_shape_key, copy.active_shape_key_index = True, 0  # the Basis, if there is one
        copy.animation_data_clear()
        copy.constraints.clear()
        for modifier in list(copy.modifiers):
            if not is_shaping(modifier):
                copy.modifiers.remove(modifier)
        copy.parent, copy.matrix_world = None, obj.matrix_world
        scene.collection.objects.link(copy)
        layer = scene.view_layers[0]
        layer.update()
        return evaluated_coordinates(copy, depsgraph_of(layer))
    finally:
        # All at once: a copied mesh's Key outlives the mesh otherwise, and cannot be removed after it.
        bpy.data.batch_remove([block for block in (copy, copy.data, copy.data.shape_keys, scene) if block])
