"""The project's own head in Blender."""

import bpy
import numpy as np
from mathutils import Vector

from lsf_blender_addon.scene import meshes, talking_head


def test_it_is_the_head_of_the_server(addon):
    assert bpy.ops.lsf.add_head() == {"FINISHED"}
    obj = bpy.context.object
    with np.load(talking_head.ASSET, allow_pickle=False) as stored:
        np.testing.assert_array_equal(meshes.base_vertices(obj.data), stored["vertices"])
        np.testing.assert_array_equal(meshes.read_triangles(obj.data), stored["faces"])
        used = {obj.data.materials[p.material_index].name for p in obj.data.polygons}
        assert len(used) == len(np.unique(stored["material"]))
    assert obj.select_get() and all(p.use_smooth for p in obj.data.polygons)
    rest = meshes.read_rest(obj)
    a, b, c = (rest.vertices[rest.triangles[:, i]].astype(float) for i in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) > 0, "normals look outwards"


def test_a_second_head_shares_its_materials(addon):
    bpy.ops.lsf.add_head()
    first = bpy.context.object
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.ops.lsf.add_head()
    second = bpy.context.object
    assert first != second and first.data != second.data and tuple(second.location) == (1, 2, 3)
    assert list(first.data.materials) == list(second.data.materials)


def box(obj) -> np.ndarray:
    """(2, 3) smallest and largest world coordinates."""
    bpy.context.view_layer.update()
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
    return np.array([corners.min(0), corners.max(0)])


def overlap(a, b) -> bool:
    return bool((box(a)[0] < box(b)[1]).all() and (box(b)[0] < box(a)[1]).all())


def test_it_stands_beside_what_would_hide_it(addon):
    """The cube of the default file, an object beside that, and a first head."""
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    before = cube.matrix_world.copy()
    bpy.ops.mesh.primitive_cone_add(location=(1.4, 0, 0), radius1=0.3)
    cone = bpy.context.object
    heads = []
    for _ in range(2):
        bpy.ops.lsf.add_head()
        heads.append(bpy.context.object)
    objects = [cube, cone, *heads]
    assert not any(overlap(a, b) for i, a in enumerate(objects) for b in objects[:i])
    assert cube.matrix_world == before and heads[0].location.y == 0 and heads[0].location.z == 0
    assert 1.7 < heads[0].location.x < 2, "close to what hides it"


def test_it_stays_at_the_cursor_in_a_room_and_beside_what_hides_nothing(addon):
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.ops.mesh.primitive_cube_add(size=10, location=(1, 2, 3))
    bpy.ops.object.empty_add(location=(1, 2, 3))
    bpy.ops.mesh.primitive_cube_add(location=(1, 2, 3))
    bpy.context.object.hide_set(True)
    bpy.ops.mesh.primitive_cube_add(location=(3, 2, 3))
    bpy.ops.lsf.add_head()
    assert tuple(bpy.context.object.location) == (1, 2, 3)
