"""Makes a camera in front of the face, for any position and direction of the head."""

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..scene import meshes
from ..scene.access import mesh_of

NAME = "LSF face"  # of the camera
FOCAL_LENGTH, SENSOR_WIDTH = 85.0, 36.0  # millimetres: as for a portrait
FRAMING = 1.4  # height of the picture in heights of the face
VERTICAL = 0.7  # a face looks up or down if the vertical component of its direction is larger than this
FACE_SHARE = 0.1  # of the largest offset of all shape keys: a vertex that moves less does not belong to the face
UNCLEAR = 1e-3  # of the summed areas: if the sum of the normals is shorter, the surface has no clear front


def create(obj: bpy.types.Object) -> bpy.types.Object:
    """Make a camera that frames the face of a head as it is on the current frame.

    Args:
        obj: The head's object.

    Returns:
        The camera's object, which is not linked to any scene.
    """
    points, normal = _face(obj)
    low, high = points.min(0), points.max(0)
    middle = Vector(((low + high) / 2).tolist())
    is_lying = abs(normal[2]) > VERTICAL
    front, up = Vector(normal.tolist()), Vector((0, 1, 0) if is_lying else (0, 0, 1))
    if not is_lying:
        front = Vector((front.x, front.y, 0)).normalized()  # level, as a portrait is taken
    right = up.cross(front).normalized()
    above = front.cross(right)
    rotation = Matrix(
        (right.to_tuple(), above.to_tuple(), front.to_tuple())
    ).transposed()  # a camera looks along its -Z
    size = max(np.ptp(points @ np.array(axis)) for axis in (right, above))
    data = bpy.data.cameras.new(NAME)
    data.lens, data.sensor_width = FOCAL_LENGTH, SENSOR_WIDTH
    depth = np.ptp(points @ np.array(front)) / 2
    distance = float(FRAMING * size * FOCAL_LENGTH / SENSOR_WIDTH + depth)
    data.clip_start, data.clip_end = distance / 100, distance * 100
    camera = bpy.data.objects.new(NAME, data)
    camera.matrix_world = Matrix.Translation((middle + distance * front).to_tuple()) @ rotation.to_4x4()
    return camera


def _face(obj: bpy.types.Object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World positions (N, 3) of the vertices that shape keys move, and unit normal (3,): -Y if it is unclear."""
    mesh = mesh_of(obj)
    base = meshes.base_vertices(mesh)
    keys = mesh.shape_keys
    reach = np.zeros(len(base))
    for key in keys.key_blocks if keys else ():
        reach = np.maximum(reach, np.linalg.norm(meshes.coordinates(key.points) - base, axis=1))
    is_face = reach > FACE_SHARE * reach.max()
    if is_face.sum() < 4:  # no face to be seen: the whole mesh
        reach[:], is_face[:] = 1, True
    # Where the pose has put the vertices, unless modifiers change their number.
    evaluated = meshes.evaluated_coordinates(obj, bpy.context.evaluated_depsgraph_get())
    vertices = meshes.to_world(base if evaluated is None else evaluated, obj)
    triangles = meshes.read_triangles(mesh)
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    areas = np.cross(b - a, c - a) * np.sign(np.linalg.det(np.array(obj.matrix_world)[:3, :3]))
    weights = reach[triangles].mean(1)  # what moves most counts most; the normals of eyes and teeth cancel out
    normal = weights @ areas
    is_unclear = np.linalg.norm(normal) < UNCLEAR * weights @ np.linalg.norm(areas, axis=1)
    return vertices[is_face], np.array((0.0, -1.0, 0.0)) if is_unclear else normal / np.linalg.norm(normal)
