"""The builders of the gallery's characters build what they say."""

import bpy
import numpy as np
import pytest

from demo import characters
from demo.characters import FAMILIES, STYLES, landmarks
from lsf_blender_addon.rigs import families
from lsf_blender_addon.scene import meshes
from server.arkit import CHANNELS
from server.face.head import CHIN, NOSE_TIP, HeadPart, load_head

UPPER_LID, LOWER_LID, UPPER_LIP, LOWER_LIP = 38, 40, 62, 66  # landmarks


@pytest.fixture(autouse=True)
def blank():
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


def marks(head):
    """Evaluated positions (68, 3) of the landmarks, in millimetres."""
    bpy.context.view_layer.update()
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices
    return meshes.coordinates(evaluated)[landmarks(head)] * 1000


def gap(head, upper, lower):
    points = marks(head)
    return np.linalg.norm(points[upper] - points[lower])


def jaw(head):
    return head.data.shape_keys.key_blocks["jawOpen"]


def test_a_plain_head_is_chosen_alone():
    bpy.ops.mesh.primitive_cube_add()
    head = characters.plain()
    assert head.data.shape_keys is None
    assert bpy.context.object == head and bpy.context.selected_objects == [head]


def test_arkit_keys_of_which_some_are_empty():
    head = characters.with_arkit_keys(("jawOpen",))
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert names == ["Basis", *CHANNELS]
    rest = meshes.base_vertices(head.data)
    assert (meshes.coordinates(jaw(head).points) == rest).all()
    smile = meshes.coordinates(head.data.shape_keys.key_blocks["mouthSmileLeft"].points) - rest
    assert np.abs(smile - load_head().basis[CHANNELS.index("mouthSmileLeft")]).max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_keys_of_a_maker(family):
    head = characters.of_family(family)
    names = [key.name for key in head.data.shape_keys.key_blocks[1:]]
    mapping = families.recognise(names, families.built_in())
    assert mapping is not None and mapping.name == family and names == characters.keys_of(family)
    rest = meshes.base_vertices(head.data)
    moved = [np.abs(meshes.coordinates(key.points) - rest).max() for key in head.data.shape_keys.key_blocks[1:]]
    assert min(moved) > 2e-4


def test_driven_keys():
    head = characters.with_driven_keys()
    before = gap(head, UPPER_LIP, LOWER_LIP)
    controls = bpy.data.objects["Controls"]
    controls["jawOpen"] = 1.0
    controls.update_tag()
    assert gap(head, UPPER_LIP, LOWER_LIP) > before + 10
    driven = {curve.data_path for curve in head.data.shape_keys.animation_data.drivers}
    assert driven == {f'key_blocks["{name}"].value' for name in characters.DRIVEN}


@pytest.mark.parametrize("half", [False, True])
def test_parts_are_objects(half):
    head = characters.in_parts(half)
    assert bpy.context.object == head
    parts = {obj.name: obj for obj in bpy.context.selected_objects if obj != head}
    assert set(parts) == {*characters.EYES, *characters.MOUTH_PARTS}
    data = load_head()
    assert len(head.data.vertices) == (data.part == HeadPart.SKIN).sum()
    faces = sum(len(obj.data.polygons) for obj in (head, *(parts[name] for name in characters.MOUTH_PARTS)))
    eyes = np.isin(data.part[data.faces], list(characters.EYES.values())).any(1).sum()
    assert faces == len(data.faces) - eyes, "nothing is lost between the parts"
    for name, centre in zip(characters.EYES, data.eye_centres, strict=True):
        points = meshes.base_vertices(parts[name].data) - centre
        radius = np.linalg.norm(points, axis=1)
        assert np.ptp(radius) < 1e-4 and 0.01 < radius.mean() < 0.02
        assert (points[:, 1].max() < 1e-4) == half and points[:, 1].min() < -0.99 * radius.mean()
        assert {face.material_index for face in parts[name].data.polygons} == {0, 1, 2}


def test_shut_eyes():
    opened = gap(characters.plain(), UPPER_LID, LOWER_LID)
    assert gap(characters.with_shut_eyes(), UPPER_LID, LOWER_LID) < opened / 3


def test_welded_lips_are_one_surface():
    apart, head = characters.plain(), characters.with_welded_lips()
    lips = slice(60, 68)
    nearest = np.linalg.norm(meshes.base_vertices(head.data) - marks(apart)[lips, None] / 1000, axis=2).argmin(1)
    assert len(head.data.vertices) < len(apart.data.vertices)
    linked = {tuple(sorted(edge.vertices)) for edge in head.data.edges}
    assert len(linked) == len(head.data.edges), "no edge twice"
    upper, lower = nearest[2], nearest[6]
    assert upper == lower or tuple(sorted((int(upper), int(lower)))) in linked


def test_on_its_face():
    head = characters.on_its_face()
    points = marks(head)
    assert points[NOSE_TIP, 2] < points[:, 2].mean() and points[CHIN, 1] > points[NOSE_TIP, 1]
    assert np.abs(np.array(head.matrix_world) - np.eye(4)).max() == 0, "the mesh is turned, as importers do"


def test_an_override(tmp_path):
    head = characters.overridden(tmp_path)
    assert head.override_library is not None and head.library is None and head.data.library is not None
    assert bpy.context.object == head and len(head.data.shape_keys.key_blocks) == 53


def test_the_bone_opens_the_jaw():
    head = characters.with_jaw_bone()
    before = marks(head)
    bone = head.modifiers["Armature"].object.pose.bones["Jaw"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = characters.JAW_ANGLE
    moved = marks(head) - before
    assert moved[CHIN, 2] < -15 and moved[LOWER_LIP, 2] < -15
    assert np.abs(moved[[UPPER_LIP, NOSE_TIP, 36, 45]]).max() < 2.5


def test_styles_are_strong_and_differ():
    plain = marks(characters.plain())
    heads = {style: marks(characters.stylised(style)) for style in STYLES}
    assert len(heads) == 3
    for style, points in heads.items():
        assert np.linalg.norm(points - plain, axis=1).max() > 4, style
    lids = {style: np.linalg.norm(points[UPPER_LID] - points[LOWER_LID]) for style, points in heads.items()}
    assert lids["big eyes"] > lids["wide mouth"] > lids["big nose"]


def test_a_relief():
    head = characters.relief("MMD", 0.15)
    data, key = load_head(), head.data.shape_keys.key_blocks["あ"]
    assert np.allclose(meshes.base_vertices(head.data), data.vertices * (1, 0.15, 1), atol=1e-6)
    moved = meshes.coordinates(key.points) - meshes.base_vertices(head.data)
    assert np.allclose(moved, characters.shapes_of(FAMILIES["MMD"], ["あ"])["あ"] * (1, 0.15, 1), atol=1e-5)


def test_coarse_and_fine():
    coarse = characters.low_poly(0.25)
    assert 0.2 < len(coarse.data.polygons) / len(load_head().faces) < 0.3 and not coarse.modifiers
    fine = characters.subdivided()
    evaluated = fine.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert len(fine.data.polygons) == len(load_head().faces) < len(evaluated.polygons) / 2
