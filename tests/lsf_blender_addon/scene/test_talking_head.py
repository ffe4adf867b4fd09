"""The project's own head in Blender."""

import bpy
import numpy as np

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
