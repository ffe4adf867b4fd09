"""A camera in front of the face, wherever it is and whichever way it looks."""

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..scene import meshes

LENS, SENSOR = 85.0, 36.0  # millimetres: a portrait
ROOM = 1.4  # height of the picture in heights of the face
LYING = 0.7  # a face looks up or down if its direction has more than this of the vertical
MOVES = 0.1  # of the largest offset of all keys: a vertex with less is not of the face


def create(obj: bpy.types.Object) -> bpy.types.Object:
    """A new camera, not linked to any scene, that sees the face as it stands on the current frame."""
    points, normal = _face(obj)
    low, high = points.min(0), points.max(0)
    middle = Vector(((low + high) / 2).tolist())
    lying = abs(normal[2]) > LYING
    front, up = Vector(normal.tolist()), Vector((0, 1, 0) if lying else (0, 0, 1))
    if not lying:
        front = Vector((front.x, front.y, 0)).normalized()  # level, as a portrait is taken
    right = up.cross(front).normalized()
    turn = Matrix((right, front.cross(right), front)).transposed()  # a camera looks along its -Z
    size = max(np.ptp(points @ np.array(axis)) for axis in (right, front.cross(right)))
    data = bpy.data.cameras.new("LSF face")
    data.lens, data.sensor_width = LENS, SENSOR
    depth = np.ptp(points @ np.array(front)) / 2
    distance = float(ROOM * size * LENS / SENSOR + depth)
    data.clip_start, data.clip_end = distance / 100, distance * 100
    camera = bpy.data.objects.new("LSF face", data)
    camera.matrix_world = Matrix.Translation(middle + distance * front) @ turn.to_4x4()
    return camera


def _face(obj: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """World positions (N, 3) of what shape keys move, and where that looks (3,): along -Y where it is unclear."""
    base = meshes.base_vertices(obj.data)
    keys = obj.data.shape_keys
    reach = np.zeros(len(base))
    for key in keys.key_blocks if keys else ():
        reach = np.maximum(reach, np.linalg.norm(meshes.coordinates(key.points) - base, axis=1))
    picked = reach > MOVES * reach.max()
    if picked.sum() < 4:  # no face to be seen: the whole mesh
        reach[:], picked[:] = 1, True
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if len(evaluated.data.vertices) == len(base):  # where the pose has put it; modifiers may add vertices
        base = meshes.coordinates(evaluated.data.vertices)
    matrix = np.array(obj.matrix_world)
    corners = base @ matrix[:3, :3].T + matrix[:3, 3]
    triangles = meshes.read_triangles(obj.data)
    a, b, c = corners[triangles].transpose(1, 0, 2)
    areas = np.cross(b - a, c - a) * np.sign(np.linalg.det(matrix[:3, :3]))
    weights = reach[triangles].mean(1)  # what moves most tells most; eyes and teeth cancel out
    normal = weights @ areas
    unclear = np.linalg.norm(normal) < 1e-3 * weights @ np.linalg.norm(areas, axis=1)
    return corners[picked], np.array((0.0, -1.0, 0.0)) if unclear else normal / np.linalg.norm(normal)
