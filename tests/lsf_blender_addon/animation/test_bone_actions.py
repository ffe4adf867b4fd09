"""Bones that channels move follow the lines, on top of the artist's pose, whose keys stay as they are."""

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from lsf_blender_addon import compat
from lsf_blender_addon.animation import arkit_keys, bone_actions, lines
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import bone_poses
from lsf_blender_addon.scene import bones
from lsf_blender_addon.scene.snapshots import BonePose
from tests.lsf_blender_addon.animation import stage
from tests.lsf_blender_addon.animation.stage import FRAMES, motion, new_head, prediction

MODES = ("QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE")
ANGLE = 0.4  # radians that jawOpen turns the jaw
BOUND = 0.012  # of a full pose: the error that keys may have, and what easing of several channels adds
JAW, SMILE = 0, 2  # columns of the motion


def add_armature(name: str = "Rig") -> bpy.types.Object:
    """An armature with a jaw, a lip and a head bone, each along another direction."""
    bpy.ops.object.armature_add(enter_editmode=True)
    rig = bpy.context.object
    rig.name = name
    edit = rig.data.edit_bones
    edit[0].name = "head"
    for bone, tail in (("jaw", (0, -1, -0.3)), ("lip", (0.2, -1, 0.1))):
        new = edit.new(bone)
        new.head, new.tail, new.parent = (0, 0, 0.5), tail, edit["head"]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


OPEN = (BonePose("jawOpen", "jaw", rotation=(ANGLE, 0, 0)),)


def talker(rig=None, rows=OPEN):
    """A head whose channels move bones."""
    rig, head = rig or add_armature(), new_head()
    head.object.lsf.bones.armature = rig
    for channel in dict.fromkeys(row.channel for row in rows):
        bones.store(head.object, channel, [row for row in rows if row.channel == channel])
    return head, rig


@pytest.fixture
def speaker(addon):
    return talker()


def bone_action(head) -> bpy.types.Action:
    return bone_actions.existing(head.object)


def evaluated(rig, bone: str, frame: float):
    """The bone's transform from rest, as Blender evaluates it, in its own axes."""
    bpy.context.scene.frame_set(int(frame))
    posed = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[bone]
    rest = posed.bone.matrix_local
    parent = posed.parent.matrix @ posed.parent.bone.matrix_local.inverted() if posed.parent else None
    return (rest.inverted() @ (parent.inverted() if parent else rest.to_4x4().Identity(4)) @ posed.matrix).copy()


def turn(rig, bone: str, frame: float) -> Quaternion:
    return evaluated(rig, bone, frame).to_quaternion()


def errors(rig, wanted, first: int, bone: str = "jaw") -> float:
    """The largest difference in radians from wanted rotation vectors (F, 3)."""
    found = []
    for frame in range(0, len(wanted), 5):
        angle = np.linalg.norm(wanted[frame])
        meant = Quaternion((wanted[frame] / angle).tolist() if angle else (1, 0, 0), angle)
        found.append(turn(rig, bone, first + frame).rotation_difference(meant).angle)
    return max(min(angle, 2 * np.pi - angle) for angle in found)


@pytest.mark.parametrize("mode", MODES)
def test_the_bone_follows_its_channel_in_every_rotation_mode_and_rests_outside(addon, mode):
    head, rig = talker()
    rig.pose.bones["jaw"].rotation_mode = mode
    head.speak("a", 20)
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    assert turn(rig, "jaw", 1).angle < 1e-6 and turn(rig, "jaw", 200).angle < 1e-6
    counts = [len(curve.keyframe_points) for curve in compat.fcurves_of(bone_action(head))]
    assert 0 < max(counts) < FRAMES / 2


@pytest.mark.parametrize("mode", MODES)
def test_several_channels_on_one_bone_add_up_on_top_of_its_own_pose(addon, mode):
    rows = (
        BonePose("jawOpen", "jaw", (0, 0, -0.002), (ANGLE, 0, 0), (0.1, 0, 0)),
        BonePose("mouthSmileLeft", "jaw", (0.001, 0, -0.001), (0.1, 0.2, -0.1)),
        BonePose("mouthSmileLeft", "lip", (0, 0.01, 0)),
    )
    head, rig = talker(rows=rows)
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_mode = mode
    own = Quaternion((0, 1, 0), 0.2)
    jaw.matrix_basis = own.to_matrix().to_4x4()
    jaw.location, jaw.scale = (0.01, 0, 0), (1, 1, 2)
    head.speak("a", 20)
    values = motion()
    for frame in range(0, FRAMES, 7):
        vector = values[frame, JAW] * np.array(rows[0].rotation) + values[frame, SMILE] * np.array(rows[1].rotation)
        angle = float(np.linalg.norm(vector))
        found = evaluated(rig, "jaw", 20 + frame)
        meant = own @ Quaternion((vector / angle).tolist(), angle)
        assert found.to_quaternion().rotation_difference(meant).angle < BOUND * 0.5
        z = -0.002 * values[frame, JAW] - 0.001 * values[frame, SMILE]
        x = 0.01 + 0.001 * values[frame, SMILE]
        assert np.abs(np.array(found.to_translation()) - [x, 0, z]).max() < BOUND * 0.003
        assert np.abs(np.array(found.to_scale()) - [1 + 0.1 * values[frame, JAW], 1, 2]).max() < BOUND * 0.1
        lip = evaluated(rig, "lip", 20 + frame).to_translation().y
        assert lip == pytest.approx(0.01 * values[frame, SMILE], abs=BOUND * 0.01)
    head.remove("a")
    bpy.context.scene.frame_set(30)
    assert np.abs(np.array(jaw.location) - [0.01, 0, 0]).max() < 1e-6
    assert turn(rig, "jaw", 30).rotation_difference(own).angle < 1e-3


def test_a_channel_on_bones_has_no_key_as_well(speaker):
    head, rig = speaker
    bones.clear(head.object, "jawOpen")
    head.speak("a", 20)
    assert head.points("jawOpen") and bone_action(head) is None
    bones.store(head.object, "jawOpen", [BonePose("jawOpen", "jaw", rotation=(ANGLE, 0, 0))])
    head.speak("a", 20)
    assert not head.points("jawOpen") and head.points("mouthClose")
    assert turn(rig, "jaw", 40).angle > 0.1
    bones.clear(head.object, "jawOpen")
    lines.refresh(head.action, head.record("a"))
    assert head.points("jawOpen") and bone_action(head) is None
    assert turn(rig, "jaw", 40).angle < 1e-6


def test_sliders_move_the_bone_and_a_second_line_leaves_the_first_one_alone(speaker):
    head, rig = speaker
    head.speak("a", 20)
    first = {c.array_index: [tuple(p.co) for p in c.keyframe_points] for c in compat.fcurves_of(bone_action(head))}
    head.speak("b", 200, prediction(motion(seed=3)))
    for curve in compat.fcurves_of(bone_action(head)):
        kept = [tuple(point.co) for point in curve.keyframe_points if point.co[0] < 110]
        assert kept == first[curve.array_index]
    head.record("b").tweaks.jaw = 0.5
    assert errors(rig, 0.5 * motion(seed=3)[:, [JAW]] * [ANGLE, 0, 0], 200) < BOUND * ANGLE
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    head.record("b").tweaks.offset = 10
    assert errors(rig, 0.5 * motion(seed=3)[:, [JAW]] * [ANGLE, 0, 0], 210) < BOUND * ANGLE
    head.record("b").tweaks.channels["jawOpen"].muted = True
    assert turn(rig, "jaw", 240).angle < 1e-6
    head.remove("b")
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    head.remove("a")
    assert bone_action(head) is None and rig.animation_data.action is None
    assert not [action for action in bpy.data.actions if action.get("lsf_bones")]


def test_the_line_moves_with_its_bones(speaker):
    head, rig = speaker
    head.speak("a", 20)
    lines.move(head.action, head.record("a"), 60)
    lines.refresh(head.action, head.record("a"))
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 60) < BOUND * ANGLE
    assert turn(rig, "jaw", 20).angle < 1e-6


def key_artists_pose(rig, angle: float = 0.15) -> list:
    """The artist's own Action turns the jaw, and the head bone."""
    for name in ("jaw", "head"):
        bone = rig.pose.bones[name]
        bone.rotation_mode = "XYZ"
        for frame, factor in ((1, 1), (50, 0.5), (100, 1)):
            bone.rotation_euler = factor * angle, 0.02, 0
            bone.keyframe_insert("rotation_euler", frame=frame)
    return keys_of(rig.animation_data.action)


def keys_of(action) -> list:
    return sorted(
        (c.data_path, c.array_index, [(tuple(p.co), tuple(p.handle_left)) for p in c.keyframe_points])
        for c in compat.fcurves_of(action)
    )


def artist(frame: int) -> float:
    curve = next(
        c for c in compat.fcurves_of(bpy.data.actions["mine"]) if '"jaw"' in c.data_path and c.array_index == 0
    )
    return curve.evaluate(frame)


@pytest.mark.parametrize("where", ["active", "track", "both"])
def test_the_artists_animation_stays_exactly_and_the_line_adds_to_it(speaker, where):
    head, rig = speaker
    before = key_artists_pose(rig)
    mine = rig.animation_data.action
    mine.name = "mine"
    if where != "active":
        rig.animation_data.nla_tracks.new().strips.new("mine", 1, mine)
        rig.animation_data.action = None
    blend = rig.animation_data.action_blend_type
    alone = {frame: turn(rig, "head", frame) for frame in (1, 40, 80)}
    head.speak("a", 20)
    head.speak("b", 300)
    assert keys_of(mine) == before
    for frame in (30, 45, 60):
        wanted = artist(frame) + ANGLE * motion()[frame - 20, JAW]
        assert evaluated(rig, "jaw", frame).to_euler("XYZ").x == pytest.approx(wanted, abs=BOUND * ANGLE + 1e-3)
    for frame, wanted in alone.items():
        assert turn(rig, "head", frame).rotation_difference(wanted).angle < 1e-4
    assert evaluated(rig, "jaw", 10).to_euler("XYZ").x == pytest.approx(artist(10), abs=1e-4)
    head.remove("b")
    head.remove("a")
    assert keys_of(mine) == before and rig.animation_data.action_blend_type == blend
    assert len(rig.animation_data.nla_tracks) == (where != "active")
    assert evaluated(rig, "jaw", 40).to_euler("XYZ").x == pytest.approx(artist(40), abs=1e-5)


def test_keys_that_the_artist_sets_on_the_generated_curves_stay(speaker):
    head, rig = speaker
    rig.pose.bones["jaw"].rotation_mode = "XYZ"
    head.speak("a", 20)
    bpy.context.scene.frame_set(50)
    rig.pose.bones["jaw"].rotation_euler.x = 0.77
    rig.pose.bones["jaw"].keyframe_insert("rotation_euler", index=0, frame=50)
    exact = np.float32(0.77)
    head.record("a").tweaks.jaw = 0.3
    head.speak("a", 20)
    (curve,) = (c for c in compat.fcurves_of(bone_action(head)) if c.array_index == 0)
    assert [p.co[1] for p in curve.keyframe_points if p.co[0] == 50] == [exact]
    assert lines.is_edited(head.action, head.record("a"))
    lines.refresh(head.action, head.record("a"), keep=False)
    assert curve.evaluate(50) < 0.4
    assert not lines.is_edited(head.action, head.record("a"))


def test_two_heads_on_two_armatures_and_a_copy_of_both(addon):
    one, two = talker(add_armature("One")), talker(add_armature("Two"))
    one[0].speak("a", 20)
    two[0].speak("b", 20, prediction(0.5 * motion(seed=1)))
    assert errors(one[1], motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    assert errors(two[1], 0.5 * motion(seed=1)[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    bpy.ops.object.select_all(action="DESELECT")
    for obj in (one[0].object, one[1]):
        obj.name = obj.name + " renamed"
        obj.select_set(True)
    bpy.ops.object.duplicate()
    (copied,) = (obj for obj in bpy.context.selected_objects if obj.type == "MESH")
    (copied_rig,) = (obj for obj in bpy.context.selected_objects if obj.type == "ARMATURE")
    assert copied.lsf.bones.armature == copied_rig
    copy = stage.Head(copied)
    copy.speak("c", 150)
    copy.remove("a")
    assert turn(copied_rig, "jaw", 40).angle < 1e-6 < turn(copied_rig, "jaw", 180).angle
    assert errors(one[1], motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    assert turn(one[1], "jaw", 180).angle < 1e-6


def test_another_pose_and_another_armature_take_effect(speaker):
    head, rig = speaker
    head.speak("a", 20)
    bones.store(head.object, "jawOpen", [BonePose("jawOpen", "jaw", rotation=(2 * ANGLE, 0, 0))])
    lines.refresh(head.action, head.record("a"))
    assert errors(rig, 2 * motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * 2 * ANGLE
    assert not lines.is_edited(head.action, head.record("a"))
    other = add_armature("Other")
    head.object.lsf.bones.armature = other
    lines.refresh(head.action, head.record("a"))
    assert errors(other, 2 * motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * 2 * ANGLE
    assert turn(rig, "jaw", 40).angle < 1e-6 and rig.animation_data.action is None


def test_the_file_opened_again_goes_on_where_it_was(speaker, tmp_path):
    head, rig = speaker
    head.speak("a", 20)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    names = head.object.name, rig.name
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    head, rig = stage.Head(bpy.data.objects[names[0]]), bpy.data.objects[names[1]]
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    head.record("a").tweaks.jaw = 0.5
    assert errors(rig, 0.5 * motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    head.remove("a")
    assert turn(rig, "jaw", 40).angle < 1e-6


def test_a_recording_moves_the_bone_and_needs_no_key_for_it(speaker):
    head, rig = speaker
    head.object.shape_key_remove(head.keys.key_blocks["jawOpen"])
    assert arkit_keys.match(head.object, ["jawOpen", "tongueOut"]).missing == ["tongueOut"]
    values = motion()
    head.record_take("take", 20, values)
    assert errors(rig, values[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE


@pytest.mark.parametrize("where", ["active", "track"])
def test_quaternions_locations_and_scales_of_the_artist_are_combined_with_the_line(addon, where):
    head, rig = talker(rows=[BonePose("jawOpen", "jaw", (0, 0, 0.1), (ANGLE, 0, 0), (0.5, 0, 0))])
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_quaternion, jaw.location, jaw.scale = Quaternion((1, 0, 0), 0.2), (0, 0.3, 0.2), (2, 1, 1)
    for name in ("rotation_quaternion", "location", "scale"):
        jaw.keyframe_insert(name, frame=1)
    data = rig.animation_data
    if where == "track":
        data.nla_tracks.new().strips.new("mine", 1, data.action)
        data.action = None
    head.speak("a", 20)
    for frame in (5, 40, 60, 120):
        value = motion()[frame - 20, JAW] if 20 <= frame < 20 + FRAMES else 0
        found = evaluated(rig, "jaw", frame)
        assert found.to_quaternion().angle == pytest.approx(0.2 + ANGLE * value, abs=BOUND * ANGLE)
        assert np.allclose(found.to_translation(), (0, 0.3, 0.2 + 0.1 * value), atol=BOUND * 0.1)
        assert np.allclose(found.to_scale(), (2 * (1 + 0.5 * value), 1, 1), atol=2 * BOUND)


def test_two_heads_may_share_an_armature(addon):
    one, rig = talker()
    two, _rig = talker(rig, [BonePose("mouthSmileLeft", "lip", (0, 0.1, 0))])
    one.speak("a", 20)
    two.speak("b", 40, prediction(motion(seed=2)))
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    found = [evaluated(rig, "lip", 40 + frame).to_translation().y for frame in range(0, FRAMES, 9)]
    assert np.allclose(found, 0.1 * motion(seed=2)[::9, SMILE], atol=BOUND * 0.1)
    one.record("a").tweaks.jaw = 0.5
    assert errors(rig, 0.5 * motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    two.remove("b")
    assert errors(rig, 0.5 * motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    assert rig.animation_data.action_blend_type == "REPLACE" and not rig.animation_data.nla_tracks
    one.remove("a")
    assert rig.animation_data.action is None


def test_keys_of_the_artist_on_other_bones_of_the_generated_action_stay_when_lines_go(speaker):
    head, rig = speaker
    head.speak("a", 20)
    bpy.context.scene.frame_set(30)
    rig.pose.bones["head"].rotation_quaternion = Quaternion((0, 0, 1), 0.5)
    rig.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=30)
    head.remove("a")
    action = rig.animation_data.action
    assert {fcurve.data_path for fcurve in compat.fcurves_of(action)} == {'pose.bones["head"].rotation_quaternion'}
    assert turn(rig, "head", 40).angle == pytest.approx(0.5, abs=1e-5) and turn(rig, "jaw", 40).angle < 1e-6


def test_locked_and_driven_curves_are_left_alone(addon):
    head, rig = talker(rows=[*OPEN, BonePose("mouthSmileLeft", "lip", (0.1, 0.1, 0))])
    rig.pose.bones["lip"].driver_add("location", 1).driver.expression = "0.7"
    head.speak("a", 20)
    curves = {(c.data_path, c.array_index): c for c in compat.fcurves_of(bone_action(head))}
    assert ('pose.bones["lip"].location', 0) in curves and ('pose.bones["lip"].location', 1) not in curves
    locked = curves['pose.bones["lip"].location', 0]
    locked.lock, before = True, [tuple(point.co) for point in locked.keyframe_points]
    head.record("a").tweaks.lips = 0.2
    assert [tuple(point.co) for point in locked.keyframe_points] == before
    assert lines.locked_keys(head.action) == ["lip"]


def test_a_pose_that_is_shown_is_no_rest_of_a_line_that_is_made_meanwhile(speaker):
    head, rig = speaker
    bone_poses.show(head.object, "jawOpen")
    assert turn(rig, "jaw", 1).angle == pytest.approx(ANGLE, abs=1e-5)
    head.speak("a", 20)
    assert errors(rig, motion()[:, [JAW]] * [ANGLE, 0, 0], 20) < BOUND * ANGLE
    bone_poses.hide(head.object)
    head.remove("a")
    assert turn(rig, "jaw", 40).angle < 1e-6


def test_a_linked_armature_is_refused_before_anything_is_written(speaker, tmp_path):
    head, rig = speaker
    bpy.data.libraries.write(str(tmp_path / "rig.blend"), {rig})
    with bpy.data.libraries.load(str(tmp_path / "rig.blend"), link=True) as (_there, here):
        here.objects = [rig.name]
    (linked,) = here.objects
    bpy.context.scene.collection.objects.link(linked)
    head.object.lsf.bones.armature = linked
    with pytest.raises(UserError, match="make a library override"):
        bone_actions.check(head.object)
    head.object.lsf.bones.armature = rig
    rig.animation_data_create().use_nla = False
    bone_actions.check(head.object)
    key_artists_pose(rig)
    with pytest.raises(UserError, match=r"NLA of .* is turned off"):
        bone_actions.check(head.object)


def test_what_a_line_does_to_bones_is_no_pose_of_the_artist(speaker):
    head, rig = speaker
    head.speak("a", 20)
    bpy.context.scene.frame_set(40)
    rig.pose.bones["lip"].location = 0, 0.1, 0
    bone_poses.set_pose(bpy.context, head.object, "mouthSmileLeft")
    assert {(pose.channel, pose.bone) for pose in bones.poses(head.object)} == {
        ("jawOpen", "jaw"),
        ("mouthSmileLeft", "lip"),
    }
    rig.pose.bones["jaw"].matrix_basis = Quaternion((1, 0, 0), 0.6).to_matrix().to_4x4()
    bone_poses.set_pose(bpy.context, head.object, "jawOpen")
    assert errors(rig, motion()[:, [JAW]] * [0.6, 0, 0], 20) < BOUND * 0.6, "relative to rest, not to the line"
