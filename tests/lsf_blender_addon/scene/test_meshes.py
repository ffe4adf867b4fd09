"""The mesh at rest, and that reading it changes nothing."""

import math

import bpy
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import meshes

CORNERS = {(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)}


def corners(vertices) -> set:
    return {tuple(round(float(c), 4) for c in vertex) for vertex in vertices}


def volume(rest) -> float:
    """Signed: positive where the triangles look outwards."""
    a, b, c = (rest.vertices[rest.triangles[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def read(obj):
    bpy.context.view_layer.update()
    return meshes.read_rest(obj)


def test_plain(cube):
    rest = read(cube)
    assert rest.vertices.dtype == np.float32 and rest.triangles.dtype == np.int32 and rest.triangles.shape == (12, 3)
    assert corners(rest.vertices) == CORNERS and volume(rest) == pytest.approx(8) and rest.object == cube.name


@pytest.mark.parametrize("scale", [(1, 1, 1), (2, 3, 0.5), (-1, 1, 1), (0.01, 0.01, 0.01)])
def test_rotation_and_scale_are_those_of_the_object(cube, scale):
    cube.location, cube.rotation_euler, cube.scale = (5, 6, 7), (0.3, -1.2, 2.0), scale
    rest = read(cube)
    matrix = np.array(cube.matrix_world)[:3, :3]
    np.testing.assert_allclose(rest.vertices, meshes.base_vertices(cube.data) @ matrix.T, rtol=1e-5, atol=1e-7)
    assert volume(rest) == pytest.approx(8 * abs(np.prod(scale)), rel=1e-4)
    offset = np.array([0.1, -0.2, 0.3])
    np.testing.assert_allclose(matrix @ (offset @ rest.to_local), offset, atol=1e-6)


def test_a_parent_counts(cube):
    parent = bpy.data.objects.new("parent", None)
    bpy.context.collection.objects.link(parent)
    parent.rotation_euler, parent.scale = (math.pi / 2, 0, 0), (2, 2, 2)
    cube.parent = parent
    rest = read(cube)
    assert corners(rest.vertices) == {(2 * x, -2 * z, 2 * y) for x, y, z in CORNERS}


def test_shape_keys_are_at_their_base(cube):
    cube.shape_key_add(name="Basis")
    smile = cube.shape_key_add(name="smile")
    for point in smile.data:
        point.co.z += 5
    smile.value = 1
    cube.active_shape_key_index = 1
    assert corners(read(cube).vertices) == CORNERS


def test_modifiers_that_shape_count(cube, dump):
    modifier = cube.modifiers.new("taper", "SIMPLE_DEFORM")
    modifier.deform_method, modifier.factor = "TAPER", 0.5
    bpy.context.view_layer.update()
    wanted = meshes.base_vertices(cube.evaluated_get(bpy.context.evaluated_depsgraph_get()).data)
    cube.modifiers.new("smooth", "SUBSURF")
    cube.shape_key_add(name="Basis")
    key = cube.shape_key_add(name="mine")
    key.value = 1
    for point in key.data:
        point.co.x += 1
    bpy.context.view_layer.update()
    before = dump(cube), dump(cube.data), dump(cube.data.shape_keys), counts()
    rest = read(cube)
    np.testing.assert_allclose(rest.vertices, wanted, atol=1e-6)
    assert corners(rest.vertices) != CORNERS
    assert (dump(cube), dump(cube.data), dump(cube.data.shape_keys), counts()) == before


def counts() -> dict:
    return {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "scenes", "shape_keys", "collections")}


def test_modifiers_that_add_vertices_are_passed_over(cube):
    cube.modifiers.new("more", "SUBSURF").levels = 2
    cube.modifiers.new("bevel", "BEVEL")
    rest = read(cube)
    assert corners(rest.vertices) == CORNERS and len(rest.triangles) == 12


def test_an_armature_is_at_rest(cube):
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("head")
    bone.tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    cube.vertex_groups.new(name="head").add(range(8), 1, "REPLACE")
    cube.modifiers.new("rig", "ARMATURE").object = armature
    armature.pose.bones["head"].location = (3, 0, 0)
    bpy.context.view_layer.update()
    posed = meshes.base_vertices(cube.evaluated_get(bpy.context.evaluated_depsgraph_get()).data)
    assert corners(posed) != CORNERS
    assert corners(read(cube).vertices) == CORNERS


def refused(obj, match):
    with pytest.raises(UserError, match=match):
        read(obj)


def test_refusals(cube):
    refused(None, "Select the head")
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    refused(camera, "Select the head")
    empty = bpy.data.objects.new("empty", bpy.data.meshes.new("empty"))
    refused(empty, "no faces")
    cube.scale = (1, 0, 1)
    refused(cube, "scaled to nothing")
    cube.scale = (1, 1, 1)
    mirror = cube.modifiers.new("mirror", "MIRROR")
    refused(cube, "apply the modifier")
    cube.modifiers.remove(mirror)
    cube.shape_key_add(name="Basis")
    cube.data.shape_keys.use_relative = False
    refused(cube, "absolute shape keys")
    cube.data.shape_keys.use_relative = True
    other = bpy.data.objects.new("other", cube.data)
    refused(cube, "shared with other objects")
    bpy.data.objects.remove(other)
    cube.data.use_fake_user = True  # which is no other object
    read(cube)


def test_edit_mode_is_refused(cube):
    bpy.ops.object.mode_set(mode="EDIT")
    refused(cube, "Object Mode")
    bpy.ops.object.mode_set(mode="OBJECT")


def test_a_linked_mesh_is_refused(cube, tmp_path):
    path = str(tmp_path / "library.blend")
    name = cube.name
    bpy.data.libraries.write(path, {cube})
    with bpy.data.libraries.load(path, link=True) as (_source, target):
        target.objects = [name]
    refused(target.objects[0], "linked from another file")
