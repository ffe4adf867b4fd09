"""Objects that seem to belong to a head are offered, those of others are not, and nothing is taken without asking."""

import time

import bpy
import numpy as np
import pytest

from lsf_blender_addon.scene import character, nearby_parts
from server.face.head import load_head
from tests.lsf_blender_addon import parted_head


@pytest.fixture
def face(addon):
    obj = parted_head.add_face()
    parted_head.choose(obj)
    return obj


def offered(head) -> set[str]:
    bpy.context.view_layer.update()
    return {obj.name for obj in nearby_parts.find(bpy.context, head)[0]}


def know_landmarks(head) -> None:
    for index, vertex in enumerate(load_head().landmark_vertices):
        mark = head.lsf.found_landmarks.add()
        mark.index, mark.position = index, parted_head.person()[vertex]


def armature(name="Armature"):
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.collection.objects.link(rig)
    return rig


def test_parts_that_lie_in_the_head(face):
    assert offered(face) == set()
    parted_head.add_parts()
    parted_head.add_object("Button", np.eye(3) * 0.01, [(0, 1, 2)], (0, 0, -0.6))
    assert offered(face) == {"Teeth", "Tongue", "EyeLeft", "EyeRight"}
    know_landmarks(face)
    assert offered(face) == {"Teeth", "Tongue", "EyeLeft", "EyeRight"}
    bpy.data.objects["Tongue"].hide_set(True)
    assert offered(face) == {"Teeth", "EyeLeft", "EyeRight"}


def test_one_click_takes_them_and_an_undo_would_give_them_back(face):
    parts = parted_head.add_parts()
    bpy.context.view_layer.update()
    assert not face.lsf.parts, "finding takes nothing"
    parts["Tongue"].select_set(True)  # it moves because it is selected, and must not be lost
    assert offered(face) == {"Teeth", "EyeLeft", "EyeRight"}
    assert "UNDO" in bpy.types.LSF_OT_add_nearby_parts.bl_options
    assert bpy.ops.lsf.add_nearby_parts() == {"FINISHED"}
    assert (
        {part.object.name for part in face.lsf.parts}
        == set(parts)
        == {obj.name for obj in character.find_parts(bpy.context, face)}
    )
    assert not bpy.ops.lsf.add_nearby_parts.poll() and offered(face) == set()


def test_glasses_hair_and_earrings_are_not_offered(face):
    know_landmarks(face)
    low, high = parted_head.person()[: len(face.data.vertices)].min(0), parted_head.person().max(0)
    hair = np.array([low, high, (low[0], high[1], high[2]), (high[0], low[1], high[2])])
    parted_head.add_object("Hair", hair, [(0, 1, 2), (1, 2, 3)])
    ear = np.eye(3) * 0.01
    parted_head.add_object("Earring", ear, [(0, 1, 2)], (high[0] - 0.01, 0, 0))
    marks = parted_head.person()[load_head().landmark_vertices]
    frame = np.array([marks[36] - (0.03, 0.01, 0), marks[45] + (0.03, -0.01, 0), marks[27] - (0, 0.02, 0)])
    parted_head.add_object("Glasses", frame, [(0, 1, 2)])
    assert offered(face) == set()


def test_parts_with_the_same_keys_of_the_same_armature(face):
    """Names of objects tell nothing here, and a body's key that clothes share is none of the face."""
    rig = armature()
    face.parent = rig
    parted_head.add_keys(face, "jawOpen", "eyeBlinkLeft", "Fat")
    lower = np.array([(0, 0, 0), (0.1, 0, 0), (0, 0, 0.1)]) - np.array((0.05, 0, 0.17))
    for name, keys, child in (
        ("Object.007", ["jawOpen"], True),
        ("Object.008", ["Fat"], True),
        ("Object.009", ["jawOpen"], False),
    ):
        obj = parted_head.add_object(name, lower, [(0, 1, 2)])
        parted_head.add_keys(obj, *keys)
        if child:
            obj.modifiers.new("Armature", "ARMATURE").object = rig
    know_landmarks(face)
    assert offered(face) == {"Object.007"}, "Object.009 has the keys, but another parent"


def test_keys_of_another_maker(face):
    rig = armature()
    face.parent = rig
    names = ["viseme_aa", "viseme_E", "viseme_O", "viseme_PP", "viseme_U"]
    parted_head.add_keys(face, *names)
    obj = parted_head.add_object("Mesh_3", np.eye(3) * 0.1, [(0, 1, 2)], (0, 0, -0.1), rig)
    parted_head.add_keys(obj, *names[:2])
    assert offered(face) == {"Mesh_3"}


@pytest.mark.parametrize("known", [False, True])
def test_two_heads_do_not_take_each_others_parts(addon, known):
    """Two characters of the same maker stand cheek by cheek below one empty."""
    root = bpy.data.objects.new("Cast", None)
    bpy.context.collection.objects.link(root)
    heads = []
    for k, x in enumerate((0, 0.2)):
        head, parts = parted_head.add_face((x, 0, 0), root), parted_head.add_parts((x, 0, 0), root)
        for obj in (head, *parts.values()):
            obj.name = f"{obj.name.split('.')[0]}_{k}"
            parted_head.add_keys(obj, "jawOpen", "eyeLookInLeft", "tongueOut")
        if known:
            know_landmarks(head)
        heads.append(head)
    for k, head in enumerate(heads):
        parted_head.choose(head)
        assert offered(head) == {f"{name}_{k}" for name in ("Teeth", "Tongue", "EyeLeft", "EyeRight")}
    heads[0].lsf.add_part(bpy.data.objects["Teeth_1"])  # the artist's odd choice holds
    assert "Teeth_1" not in offered(heads[1])


def test_another_head_of_the_same_character_is_no_part(face):
    parted_head.add_keys(face, "jawOpen")
    copy = parted_head.add_face()
    copy.name = "Face_LOD1"
    parted_head.add_keys(copy, "jawOpen")
    assert offered(face) == set()


def test_what_is_worn_is_not_offered_beside_named_parts(face):
    """A nose ring, an earring, a cigarette and a brain, before and after the landmarks are known."""
    parted_head.add_parts()
    marks = parted_head.person()[load_head().landmark_vertices]
    worn = {"Ring": marks[30], "Cigarette": marks[62] - (0, 0.02, 0), "Earring.L": (0.08, 0, -0.05), "Brain": (0, 0, 0)}
    for name, place in worn.items():
        parted_head.add_object(name, np.eye(3) * 0.006, [(0, 1, 2)], place)
    named = {"Teeth", "Tongue", "EyeLeft", "EyeRight"}
    assert offered(face) == named and not nearby_parts.find(bpy.context, face)[1], "the face is not known"
    at_landmarks = load_head().landmark_vertices.tolist()
    assert {obj.name for obj in nearby_parts.find(bpy.context, face, at_landmarks)[0]} == named
    assert nearby_parts.find(bpy.context, face, at_landmarks)[1]
    know_landmarks(face)
    assert offered(face) == named and nearby_parts.find(bpy.context, face)[1]
    assert bpy.ops.lsf.add_nearby_parts() == {"FINISHED"}
    assert {part.object.name for part in face.lsf.parts} == named
    assert "Earring.L" not in offered(face) and not nearby_parts.find(bpy.context, face)[1]


@pytest.mark.parametrize("distance", [0.17, 0.19])
def test_a_character_nearby_keeps_its_parts(face, distance):
    """Two characters without a common parent, whose landmarks nobody knows: neither takes the other's eye."""
    parted_head.add_parts()
    for obj in (parted_head.add_face(), *parted_head.add_parts().values()):
        obj.location.x += distance
    assert offered(face) == {"Teeth", "Tongue", "EyeLeft", "EyeRight"}


def test_the_search_is_quick_enough_for_a_redraw(face):
    """A thousand other objects."""
    know_landmarks(face)
    mesh = bpy.data.meshes.new("leaf")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    for k in range(1000):
        obj = bpy.data.objects.new("leaf", mesh)
        obj.location.x = 2 + k
        bpy.context.collection.objects.link(obj)
    parted_head.add_parts()
    bpy.context.view_layer.update()
    assert len(nearby_parts.find(bpy.context, face)[0]) == 4
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        nearby_parts.find(bpy.context, face)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.05
