"""The head as the artist sees it at rest: read once, never changed."""

import bpy
import numpy as np
from mathutils import Matrix

from ..errors import UserError
from .head_motion import matrix_without_head_motion
from .snapshots import RestMesh

# Modifiers that bend a mesh into the shape in which the artist knows it at rest, and keep its vertices. Armatures,
# caches and simulations are left out: they pose, and at rest they do nothing.
SHAPING = {
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
    """Raise UserError if shape keys cannot be added to this object."""
    if obj is None or obj.type != "MESH":
        raise UserError("Select the head: a mesh object")
    mesh = obj.data
    if obj.library or mesh.library or mesh.override_library:
        raise UserError(
            f'"{obj.name}" is linked from another file: make its mesh local first (Object > Relations > Make Local)'
        )
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


def read_rest(obj: bpy.types.Object) -> RestMesh:
    """Base of the shape keys, bent by the modifiers that shape it, turned and scaled as the object is.

    Modifiers that change the number of vertices are passed over: shape keys live on the base vertices.

    Raises UserError.
    """
    check(obj)
    local = _shaped(obj) if any(_shapes(m) for m in obj.modifiers) else None
    if local is None:
        local = base_vertices(obj.data)
    world = np.array(_rest_matrix(obj), np.float64)
    matrix = world[:3, :3]
    if abs(np.linalg.det(matrix)) < 1e-12 or not np.isfinite(matrix).all():
        raise UserError(f'"{obj.name}" is scaled to nothing: give it a scale')
    triangles = read_triangles(obj.data)
    if np.linalg.det(matrix) < 0:  # mirrored: keep the normals outside
        triangles = triangles[:, ::-1]
    vertices = (local @ matrix.T).astype(np.float32)
    return RestMesh(obj.name, world[:3, 3], vertices, np.ascontiguousarray(triangles), np.linalg.inv(matrix).T)


def _rest_matrix(obj: bpy.types.Object) -> Matrix:
    """Where the object is; what hangs on a bone, like an eye or teeth: where it is when the armature is at rest."""
    bone = obj.parent.data.bones.get(obj.parent_bone) if obj.parent and obj.parent.type == "ARMATURE" else None
    if obj.parent_type != "BONE" or bone is None or obj.constraints:
        return matrix_without_head_motion(obj)
    tail = Matrix.Translation((0, bone.length, 0))
    return obj.parent.matrix_world @ bone.matrix_local @ tail @ obj.matrix_parent_inverse @ obj.matrix_basis


def base_vertices(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32: the Basis key, or the vertices of a mesh without keys; in the object's own space."""
    return coordinates(mesh.shape_keys.reference_key.points if mesh.shape_keys else mesh.vertices)


def evaluated_vertices(obj: bpy.types.Object) -> np.ndarray:
    """(V, 3) float64 in the world as they are on the screen now; at rest, where modifiers change their number."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    local = coordinates(evaluated.vertices) if len(evaluated.vertices) == len(obj.data.vertices) else None
    if local is None:
        rest = read_rest(obj)
        return rest.vertices + rest.origin
    matrix = np.array(obj.matrix_world, np.float64)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def coordinates(points: bpy.types.bpy_prop_collection) -> np.ndarray:
    """(N, 3) float32 of vertices, or of the points of a shape key."""
    flat = np.empty(len(points) * 3, np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def read_triangles(mesh: bpy.types.Mesh) -> np.ndarray:
    """(T, 3) int32."""
    flat = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", flat)
    return flat.reshape(-1, 3)


def _shapes(modifier: bpy.types.Modifier) -> bool:
    return modifier.show_viewport and modifier.type in SHAPING


def _shaped(obj: bpy.types.Object) -> np.ndarray | None:
    """(V, 3) after the shaping modifiers, evaluated on a copy in a scene of its own; None if the count changed."""
    scene = bpy.data.scenes.new("LSF rest")
    copy = obj.copy()
    copy.data = obj.data.copy()
    try:
        copy.show_only_shape_key, copy.active_shape_key_index = True, 0  # the Basis, if there is one
        copy.animation_data_clear()
        copy.constraints.clear()
        for modifier in list(copy.modifiers):
            if not _shapes(modifier):
                copy.modifiers.remove(modifier)
        copy.parent, copy.matrix_world = None, obj.matrix_world
        scene.collection.objects.link(copy)
        layer = scene.view_layers[0]
        layer.update()
        evaluated = copy.evaluated_get(layer.depsgraph).data
        return coordinates(evaluated.vertices) if len(evaluated.vertices) == len(copy.data.vertices) else None
    finally:
        # All at once: a copied mesh's Key outlives the mesh otherwise, and cannot be removed after it.
        bpy.data.batch_remove([block for block in (copy, copy.data, copy.data.shape_keys, scene) if block])
