"""Set, Show, Clear and Recognise Bones, as an artist uses them on an armature."""

import addon_utils
import bpy
import numpy as np
import pytest

from lsf_blender_addon.jobs import bone_poses
from lsf_blender_addon.rigs import face_bones
from server.arkit import CHANNELS
from server.face.head import load_head
from tests.lsf_blender_addon.animation.test_bone_actions import add_armature, key_artists_pose

SCALE = 1.7  # of the Rigify-shaped face, relative to the project's head


@pytest.fixture
def rig(addon):
    return add_armature()


@pytest.fixture
def head(rig):
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    bpy.context.scene.lsf.head = head
    head.lsf.bones.armature = rig
    return head


def pressed(operator, **properties) -> str:
    """Press a button; returns the error, if there is one."""
    try:
        assert operator(**properties) == {"FINISHED"}
    except RuntimeError as error:
        return str(error)
    return ""


def rows(head) -> dict[tuple[str, str], tuple]:
    return {(row.channel, row.bone): (tuple(row.location), tuple(row.rotation)) for row in head.lsf.bones.rows}


def select(rig, *names) -> None:
    for bone in rig.pose.bones:
        owner = bone if hasattr(bone, "select") else bone.bone
        owner.select = bone.name in names


@pytest.mark.parametrize("mode", ["QUATERNION", "YZX", "AXIS_ANGLE"])
def test_set_keeps_the_pose_and_the_bone_goes_back(rig, head, mode):
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_mode = "XYZ"
    jaw.rotation_euler, jaw.location = (0.4, 0, 0), (0, 0, -0.1)
    jaw.rotation_mode = mode
    assert not pressed(bpy.ops.lsf.set_bones)
    (found,) = rows(head).values()
    assert np.allclose(found, [(0, 0, -0.1), (0.4, 0, 0)], atol=1e-6)
    assert np.allclose(jaw.matrix_basis, np.eye(4), atol=1e-6)
    assert not pressed(bpy.ops.lsf.show_bones, channel="jawOpen")
    shown = jaw.matrix_basis.to_euler("XYZ")
    assert np.allclose([*shown, *jaw.location], [0.4, 0, 0, 0, 0, -0.1], atol=1e-5)
    jaw.location.z = -0.2  # the shown pose is corrected, and set again
    assert not pressed(bpy.ops.lsf.set_bones, channel="jawOpen")
    (found,) = rows(head).values()
    assert np.allclose(found, [(0, 0, -0.2), (0.4, 0, 0)], atol=1e-5)
    assert np.allclose(jaw.matrix_basis, np.eye(4), atol=1e-6)
    for _ in range(2):  # shows, and lets it go back
        assert not pressed(bpy.ops.lsf.show_bones, channel="jawOpen")
    assert np.allclose(jaw.matrix_basis, np.eye(4), atol=1e-6)
    assert not pressed(bpy.ops.lsf.clear_bones, channel="jawOpen")
    assert not rows(head)


def test_selected_bones_count_alone_where_others_are_posed_too(rig, head):
    for name in ("head", "jaw", "lip"):
        rig.pose.bones[name].location = 0.1, 0, 0
    select(rig, "jaw", "lip")
    assert not pressed(bpy.ops.lsf.set_bones)
    assert {bone for _channel, bone in rows(head)} == {"jaw", "lip"}
    assert rig.pose.bones["head"].location.x == np.float32(0.1), "a pose that does not count stays"
    head.lsf.bones.channel = "mouthLeft"
    select(rig)
    rig.pose.bones["jaw"].location = 0, 0.1, 0
    assert not pressed(bpy.ops.lsf.set_bones)
    assert {bone for channel, bone in rows(head) if channel == "mouthLeft"} == {"head", "jaw"}


def test_a_pose_of_the_artists_action_is_no_pose_of_the_channel(rig, head):
    before = key_artists_pose(rig)
    bpy.context.scene.frame_set(50)
    rig.pose.bones["jaw"].rotation_euler.x += 0.3
    assert not pressed(bpy.ops.lsf.set_bones)
    assert [bone for _channel, bone in rows(head)] == ["jaw"]
    assert np.allclose(rows(head)["jawOpen", "jaw"][1], (0.3, 0, 0), atol=1e-3)
    assert rig.pose.bones["jaw"].rotation_euler.x == pytest.approx(0.075)
    assert before


def test_what_cannot_be_set_is_said(rig, head):
    assert "No bone" in pressed(bpy.ops.lsf.set_bones) and "jawOpen" in pressed(bpy.ops.lsf.set_bones)
    jaw = rig.pose.bones["jaw"]
    jaw.driver_add("location", 0)
    jaw.location.y = 0.1
    assert 'A driver moves the bone "jaw"' in pressed(bpy.ops.lsf.set_bones)
    head.lsf.bones.channel = "jaw"
    assert "Choose the channel" in pressed(bpy.ops.lsf.set_bones)
    head.lsf.bones.armature = None
    assert "Choose the armature" in pressed(bpy.ops.lsf.set_bones)
    assert not rows(head)


def test_check_character_says_which_channels_move_bones_and_what_holds_them(rig, head):
    rig.pose.bones["jaw"].location.y = 0.1
    pressed(bpy.ops.lsf.set_bones)
    assert [(f.level, f.text) for f in bone_poses.check(head, None)] == [
        ("OK", "Bones show jawOpen; shape keys show the other channels")
    ]
    rig.pose.bones["jaw"].constraints.new("LIMIT_ROTATION")
    assert bone_poses.check(head, None)[0].text == "Constraints may hold these bones back: jaw"
    rig.pose.bones["jaw"].driver_add("location", 1)
    assert bone_poses.check(head, None)[0].text == "Drivers move these bones, so that channels cannot: jaw"
    rig.data.bones["jaw"].name = "chin"
    (found,) = bone_poses.check(head, None)
    assert found.text == "Bones that channels should move are gone or were renamed: jaw" and found.level == "FAULT"


def test_check_character_offers_the_bones_of_a_face_and_its_button_takes_them(rig, head):
    head.lsf.bones.armature = None
    assert bone_poses.check(head, None) == []
    head.modifiers.new("Armature", "ARMATURE").object = rig
    (found,) = bone_poses.check(head, None)
    assert (found.level, found.cure) == ("NOTE", "lsf.recognise_bones") and '"Rig" has bones of a face' in found.text
    assert not pressed(bpy.ops.lsf.recognise_bones)
    assert head.lsf.bones.armature == rig and list(rows(head)) == [("jawOpen", "jaw")]
    bpy.ops.lsf.clear_bones(channel="jawOpen")
    head.shape_key_add(name="Basis")
    for channel in CHANNELS:
        head.shape_key_add(name=channel, from_mix=False).points[0].co.z += 0.3
    assert bone_poses.check(head, None) == [], "its keys open the mouth"


def test_the_armature_leads_to_its_head(rig, head):
    bpy.context.scene.lsf.head = None
    bpy.context.view_layer.objects.active = rig
    rig.pose.bones["jaw"].location.y = 0.1
    assert not pressed(bpy.ops.lsf.set_bones) and rows(head)


# Recognise Bones, on a face in Rigify's shape: its controls lie at the points of the project's face, SCALE larger


def controls(names: dict[str, str]) -> dict[str, np.ndarray]:
    """Where controls are, by name, for points of the face."""
    points, _moves = face_bones.measured()
    return {name: points[point] * SCALE / 1000 for point, name in names.items()}


CURRENT = {
    "lip.T": "lip.T",
    "lip.B": "lip.B",
    "chin": "chin",
    **{f"lips.{side}": f"lips.{side}" for side in "LR"},
    **{f"lid.{where}.{side}": f"lid.{where}.{side}.002" for side in "LR" for where in "TB"},
    **{f"brow_inner.{side}": f"brow.T.{side}.003" for side in "LR"},
    **{f"brow_outer.{side}": f"brow.T.{side}.001" for side in "LR"},
}
LEGACY = {
    "lip.T": "lip.T",
    "lip.B": "lip.B",
    **{f"lips.{side}": f"lips.{side}" for side in "LR"},
    **{f"lid.{where}.{side}": f"lid.{where}.{side}" for side in "LR" for where in "TB"},
    **{f"brow_middle.{side}": f"brow.T.{side}" for side in "LR"},
}


def rigify(names: dict[str, str]) -> bpy.types.Object:
    """An armature in the shape of Rigify's face: the lower lip goes with the jaw, and bones lie in many directions."""
    bpy.ops.object.armature_add(enter_editmode=True)
    rig = bpy.context.object
    edit = rig.data.edit_bones
    edit[0].name = "ORG-face"
    rng = np.random.default_rng(4)
    jaw = edit.new("jaw_master")
    jaw.head, jaw.tail = np.array([0, 20.6, 48.0]) * SCALE / 1000, np.array([0, -70, -40]) * SCALE / 1000
    jaw.roll = np.pi  # its X axis points to the right
    for name, place in controls(names).items():
        bone = edit.new(name)
        bone.head, bone.tail, bone.roll = place, place + rng.normal(0, 0.02, 3), rng.uniform(-3, 3)
        bone.parent = jaw if name in ("lip.B", "chin") else edit[0]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def place(rig, name: str) -> np.ndarray:
    """Where a bone is, as Blender evaluates it."""
    bpy.context.view_layer.update()
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(evaluated.pose.bones[name].matrix.to_translation())


def shown(rig, channel: str, *names: str) -> list[np.ndarray]:
    """How far bones move where a channel is 1."""
    before = [place(rig, name) for name in names]
    assert not pressed(bpy.ops.lsf.show_bones, channel=channel)
    after = [place(rig, name) for name in names]
    assert not pressed(bpy.ops.lsf.show_bones, channel=channel)
    return [later - earlier for later, earlier in zip(after, before, strict=True)]


def meant(channel: str, *landmarks: int) -> np.ndarray:
    """How far the fit of the project's head moves landmarks where a channel is 1, on a face SCALE larger."""
    head = load_head()
    return SCALE * head.basis[CHANNELS.index(channel), head.landmark_vertices[list(landmarks)]].mean(0)


@pytest.mark.parametrize("names", [CURRENT, LEGACY], ids=["current", "legacy"])
def test_a_rigify_face_moves_as_far_as_the_fit_moves_the_skin(addon, names):
    rig = rigify(names)
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.lsf.bones.armature = rig
    assert not pressed(bpy.ops.lsf.recognise_bones)
    millimetre = SCALE / 1000
    (lip,) = shown(rig, "jawOpen", "lip.B")
    wanted = meant("jawOpen", 57)
    assert np.linalg.norm(lip - wanted) < 0.2 * np.linalg.norm(wanted), "a turn about this hinge cannot come nearer"
    assert np.linalg.norm(lip) == pytest.approx(np.linalg.norm(wanted), rel=0.05)
    assert abs(lip[0]) < 1e-6, "about the side axis of the jaw"
    for channel, bone, landmark in (
        ("mouthSmileLeft", "lips.L", 54),
        ("mouthSmileRight", "lips.R", 48),
        ("mouthPucker", "lip.T", 51),
        ("mouthFrownRight", "lips.R", 48),
    ):
        (moved,) = shown(rig, channel, bone)
        assert np.linalg.norm(moved - meant(channel, landmark)) < 0.1 * millimetre, channel
    lids = [names[f"lid.{where}.L"] for where in "TB"]
    gap = place(rig, lids[0]) - place(rig, lids[1])
    top, bottom = shown(rig, "eyeBlinkLeft", *lids)
    assert np.linalg.norm(gap + top - bottom) < 0.35 * np.linalg.norm(gap), "the lids meet"
    (other,) = shown(rig, "eyeBlinkLeft", names["lid.T.R"])
    assert np.linalg.norm(other) < 1e-6
    brow, landmarks = ("brow.T.L.003", (23,)) if names is CURRENT else ("brow.T.L", (24,))
    (raised,) = shown(rig, "browInnerUp", brow)
    assert np.linalg.norm(raised - meant("browInnerUp", *landmarks)) < 0.1 * millimetre
    assert np.allclose(rig.pose.bones["jaw_master"].matrix_basis, np.eye(4), atol=1e-6)


@pytest.fixture
def rigify_addon(addon):
    """Blender's own Rigify."""
    if "rigify" not in {module.__name__ for module in addon_utils.modules()}:
        pytest.skip("this build of Blender has no Rigify")
    bpy.ops.preferences.addon_enable(module="rigify")
    yield
    bpy.ops.preferences.addon_disable(module="rigify")


def test_a_face_that_rigify_has_generated(rigify_addon):
    bpy.ops.object.armature_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.lsf.bones.armature = rig
    assert not pressed(bpy.ops.lsf.recognise_bones)
    wide = np.linalg.norm(place(rig, "lips.L") - place(rig, "lips.R"))
    lower, upper, skin = shown(rig, "jawOpen", "lip.B", "lip.T", "DEF-lip.B.L")
    assert lower[2] < -0.4 * wide and abs(upper[2]) < 0.15 * wide and skin[2] < -0.3 * wide
    left, right = shown(rig, "mouthSmileLeft", "lips.L", "lips.R")
    assert left[0] > 0.1 * wide and left[2] > 0.1 * wide and np.abs(right).max() < 1e-6
    top, bottom = (place(rig, f"lid.{where}.L.002") for where in "TB")
    shut, below = shown(rig, "eyeBlinkLeft", "lid.T.L.002", "lid.B.L.002")
    assert np.linalg.norm(top + shut - bottom - below) < 0.2 * np.linalg.norm(top - bottom)
    (raised,) = shown(rig, "browInnerUp", "brow.T.L.003")
    assert raised[2] > 0.05 * wide


def test_controls_named_like_channels_go_along_y_as_far_as_their_limit(addon):
    bpy.ops.object.armature_add(enter_editmode=True)
    rig = bpy.context.object
    for k, channel in enumerate(
        ("jaw_open", "MouthSmile_L", "mouthSmileRight", "eyeBlink.L", "eyeBlink.R", "browInnerUp")
    ):
        bone = rig.data.edit_bones.new(channel)
        bone.head, bone.tail = (k, 0, 0), (k, 0.2, 0)
    bpy.ops.object.mode_set(mode="OBJECT")
    limit = rig.pose.bones["jaw_open"].constraints.new("LIMIT_LOCATION")
    limit.use_max_y, limit.max_y, limit.owner_space = True, 0.05, "LOCAL"
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.lsf.bones.armature = rig
    assert not pressed(bpy.ops.lsf.recognise_bones)
    found = rows(head)
    assert found["jawOpen", "jaw_open"][0] == pytest.approx((0, 0.05, 0))
    assert found["mouthSmileLeft", "MouthSmile_L"][0] == pytest.approx((0, 0.2, 0))
    assert len(found) == 6


def test_a_lone_jaw_of_any_maker_opens_and_no_face_is_said(addon):
    rig = add_armature()
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.lsf.bones.armature = rig
    assert not pressed(bpy.ops.lsf.recognise_bones)
    assert list(rows(head)) == [("jawOpen", "jaw")]
    tip = place(rig, "jaw")
    before = np.array(rig.pose.bones["jaw"].tail)
    bones_shown = bpy.ops.lsf.show_bones(channel="jawOpen")
    bpy.context.view_layer.update()
    assert bones_shown == {"FINISHED"} and rig.pose.bones["jaw"].tail.z < before[2] - 0.1 and tip is not None
    bpy.ops.lsf.clear_bones(channel="jawOpen")
    rig.data.bones["jaw"].name = "Bone.012"
    assert "is known as one of a face" in pressed(bpy.ops.lsf.recognise_bones)


def test_the_measured_head_is_the_projects():
    head, (points, moves) = load_head(), face_bones.measured()
    landmarks = {
        "lips.L": 54,
        "lips.R": 48,
        "lip.T": 51,
        "lip.B": 57,
        "chin": 8,
        "brow_inner.L": 23,
        "brow_outer.R": 18,
    }
    for name, landmark in landmarks.items():
        vertex = head.landmark_vertices[landmark]
        assert np.abs(points[name] - 1000 * head.vertices[vertex]).max() < 0.01
        for channel, move in moves[name].items():
            assert np.abs(move - 1000 * head.basis[CHANNELS.index(channel), vertex]).max() < 0.01
