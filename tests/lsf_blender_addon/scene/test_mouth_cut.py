"""Cutting welded lips: what is split, and that everything that the artist has made stays."""

import bmesh
import bpy
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import meshes, mouth_cut, shape_keys
from lsf_blender_addon.scene.lip_seam import Seam
from tests.lsf_blender_addon import welded_head

TOLERANCE = 1e-4  # metres; the gap between the lips is smaller
SEAMS = [welded_head.seam_along_edges, welded_head.seam_across_faces]


@pytest.fixture
def head(blank):
    """A head whose data are linear functions of the place, so that values of new vertices are known."""
    obj = welded_head.add_scanned()
    mesh, places = obj.data, places_of(obj)
    corners = corner_vertices(mesh)
    mesh.uv_layers.new(name="first").data.foreach_set("uv", (places[corners][:, [0, 2]] * 3).ravel())
    mesh.uv_layers.new(name="second").data.foreach_set("uv", (places[corners][:, [2, 0]] + 0.5).ravel())
    colour = np.column_stack([places[corners] + 0.5, np.ones(len(corners))])
    mesh.color_attributes.new("paint", "FLOAT_COLOR", "CORNER").data.foreach_set("color", colour.ravel())
    mesh.attributes.new("age", "FLOAT", "POINT").data.foreach_set("value", places[:, 2])
    mesh.attributes.new("lsf_part", "INT", "POINT").data.foreach_set("value", np.full(len(places), 1, np.int32))
    group = obj.vertex_groups.new(name="skull")
    for index, place in enumerate(places):
        group.add([index], float(place[2] + 0.5), "REPLACE")
    obj.shape_key_add(name="Basis")
    wide = obj.shape_key_add(name="wide")
    wide.points.foreach_set("co", (places * [1.2, 1, 1]).ravel())
    moved = obj.shape_key_add(name="moved")
    moved.relative_key = wide
    moved.points.foreach_set("co", (places * [1.2, 1, 1] + [0, 0, 0.01]).ravel())
    wide.value = 0.3
    mesh.materials.append(bpy.data.materials.new("Skin"))
    return obj


def places_of(obj):
    return meshes.coordinates(obj.data.vertices).astype(float)


def corner_vertices(mesh):
    found = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", found)
    return found


def of_skin(mesh):
    """Which corners belong to faces that were there before."""
    return np.repeat([face.material_index == 0 for face in mesh.polygons], [face.loop_total for face in mesh.polygons])


@pytest.mark.parametrize("seam_of", SEAMS)
def test_the_lips_are_two_borders(head, seam_of):
    seam = seam_of(head)
    before = open_edges(head)
    mouth_cut.cut(head, seam, inside=False)
    assert len(open_edges(head)) - len(before) == 2 * (len(seam.points) - 1)
    assert not head.data.validate()
    normals = np.array([face.normal for face in head.data.polygons])
    assert np.isfinite(normals).all() and (np.linalg.norm(normals, axis=1) > 0.9).all()


def open_edges(obj):
    bm = bmesh.new()
    bm.from_mesh(obj.data)
    found = [edge.index for edge in bm.edges if edge.is_boundary]
    bm.free()
    return found


@pytest.mark.parametrize("seam_of", SEAMS)
@pytest.mark.parametrize("inside", [False, True])
def test_what_the_artist_made_stays(head, seam_of, inside):
    mesh, before = head.data, places_of(head)
    made = mouth_cut.cut(head, seam_of(head), inside=inside)
    assert made == inside
    places, count = places_of(head), len(before)
    assert len(places) > count and np.abs(places[:count] - before).max() < TOLERANCE, "vertices keep their numbers"
    corners, skin = corner_vertices(mesh), of_skin(mesh)
    for layer, expected in (("first", places[:, [0, 2]] * 3), ("second", places[:, [2, 0]] + 0.5)):
        uv = np.empty(len(corners) * 2, np.float32)
        mesh.uv_layers[layer].data.foreach_get("uv", uv)
        assert np.abs(uv.reshape(-1, 2) - expected[corners])[skin].max() < 3 * TOLERANCE
    paint = np.empty(len(corners) * 4, np.float32)
    mesh.color_attributes["paint"].data.foreach_get("color", paint)
    assert np.abs(paint.reshape(-1, 4)[:, :3] - places[corners] - 0.5)[skin].max() < TOLERANCE
    of_lips = np.unique(corners[skin])
    age = np.empty(len(places), np.float32)
    mesh.attributes["age"].data.foreach_get("value", age)
    assert np.abs(age - places[:, 2])[of_lips].max() < TOLERANCE
    weights = np.array([sum(group.weight for group in vertex.groups) for vertex in mesh.vertices])
    assert np.abs(weights - places[:, 2] - 0.5)[of_lips].max() < TOLERANCE and (weights > 0).all()
    part = np.empty(len(places), np.int32)
    mesh.attributes["lsf_part"].data.foreach_get("value", part)
    assert (part == 1).all()
    keys = mesh.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", "wide", "moved"]
    assert keys["moved"].relative_key == keys["wide"] and keys["wide"].value == pytest.approx(0.3)
    basis, wide, moved = (meshes.coordinates(key.points) for key in keys)
    assert np.abs(basis - places).max() < 1e-6
    assert np.abs(wide - places * [1.2, 1, 1])[of_lips].max() < TOLERANCE
    assert np.abs(moved - wide - [0, 0, 0.01]).max() < 1e-6, "the inside moves along"
    assert not {own.name for own in mesh.attributes if own.name.startswith("lsf_")} - {"lsf_part"}


@pytest.mark.parametrize("seam_of", SEAMS)
def test_custom_normals_stay(head, seam_of):
    mesh = head.data
    wanted = own_normals(places_of(head)[corner_vertices(mesh)])
    mesh.normals_split_custom_set(wanted.tolist())
    mouth_cut.cut(head, seam_of(head))
    assert mesh.has_custom_normals
    found = np.empty(len(mesh.loops) * 3, np.float32)
    mesh.corner_normals.foreach_get("vector", found)
    expected = own_normals(places_of(head)[corner_vertices(mesh)])
    assert np.abs(found.reshape(-1, 3) - expected)[of_skin(mesh)].max() < 0.03  # their precision is .012


def test_custom_normals_that_are_vectors_stay(head):
    mesh = head.data
    wanted = own_normals(places_of(head)[corner_vertices(mesh)])
    attribute = mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "CORNER")
    attribute.data.foreach_set("vector", wanted.ravel())
    mesh.update()
    mouth_cut.cut(head, welded_head.seam_across_faces(head))
    found = np.empty(len(mesh.loops) * 3, np.float32)
    mesh.attributes["custom_normal"].data.foreach_get("vector", found)
    expected = own_normals(places_of(head)[corner_vertices(mesh)])
    assert np.abs(found.reshape(-1, 3) - expected)[of_skin(mesh)].max() < 0.01
    assert np.linalg.norm(found.reshape(-1, 3), axis=1).min() > 0.9


def own_normals(places):
    normals = [0, -1, 0] + 0.3 * np.sin(places * 20)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def test_the_inside_is_a_bag_that_faces_the_mouth(head):
    before = open_edges(head)
    assert mouth_cut.cut(head, welded_head.seam_across_faces(head))
    mesh = head.data
    assert len(open_edges(head)) == len(before), "it leaves no hole"
    assert [material.name for material in mesh.materials] == ["Skin", "Mouth Inside"]
    bm = bmesh.new()
    bm.from_mesh(mesh)
    assert all(edge.is_contiguous for edge in bm.edges if edge.is_manifold), "all faces have the same outside"
    bm.free()
    bag = [face for face in mesh.polygons if face.material_index == 1]
    ends = [face for face in bag if face.center.y > max(face.center.y for face in bag) - 0.005]
    assert ends and all(face.normal.y < 0 for face in ends), "seen from the front"
    uv = np.array([mesh.uv_layers["first"].data[i].uv for face in bag for i in face.loop_indices])
    assert uv.min() >= 0 and uv.max() <= 1 and (np.ptp(uv, axis=0) > 0.9).all()


def test_the_inside_may_have_the_material_of_the_lips(head):
    mouth_cut.cut(head, welded_head.seam_along_edges(head), own_material=False)
    assert [material.name for material in head.data.materials] == ["Skin"]


def test_a_head_without_a_material_keeps_its_look(head):
    head.data.materials.clear()
    mouth_cut.cut(head, welded_head.seam_along_edges(head))
    assert [material and material.name for material in head.data.materials] == [None, "Mouth Inside"]


def test_generated_keys_stay_generated_and_sculpted_ones_the_artists(head):
    shape_keys.renew_marks(head.data, {"wide", "moved"})
    for point in list(head.data.shape_keys.key_blocks["moved"].points)[:50]:
        point.co.x += 0.01
    assert shape_keys.generated_keys(head.data) == {"wide"}
    mouth_cut.cut(head, welded_head.seam_across_faces(head))
    assert shape_keys.generated_keys(head.data) == {"wide"}


def test_a_seam_of_another_mesh_is_refused_and_nothing_is_changed(head):
    seam = welded_head.seam_along_edges(head)
    ends = [point[0] for point in seam.points]
    ends[3] = 0
    wrong = [
        Seam(seam.points, seam.vertex_count + 1, 0.5),
        Seam(tuple((end, end, 0.0) for end in ends), seam.vertex_count, 0.5),
        Seam(((0, seam.vertex_count, 0.5), *seam.points), seam.vertex_count, 0.5),
    ]
    head.data.normals_split_custom_set(own_normals(places_of(head)[corner_vertices(head.data)]).tolist())
    before = places_of(head), len(head.data.polygons), sorted(head.data.attributes.keys())
    for bad in wrong:
        with pytest.raises(UserError, match="Find Landmarks"):
            mouth_cut.cut(head, bad)
        after = places_of(head), len(head.data.polygons), sorted(head.data.attributes.keys())
        assert (after[0] == before[0]).all() and after[1:] == before[1:]
    assert len(head.data.materials) == 1


def test_modifiers_that_need_the_mesh_are_named(head):
    head.modifiers.new("Detail", "MULTIRES")
    with pytest.raises(UserError, match='"Detail"'):
        mouth_cut.cut(head, welded_head.seam_along_edges(head))
