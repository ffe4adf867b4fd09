"""Head motion: it adds to the artist's pose, eases from and to rest, and each line's goes with its line."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from lsf_blender_addon import compat
from lsf_blender_addon.animation import head_motion
from lsf_blender_addon.scene.snapshots import Line

FPS = 24.0
EASE = round(head_motion.EASE * FPS)
FRAMES = 48  # of a line
MARKS = np.zeros((68, 3))
MARKS[[36, 45, 27, 8]] = (-1, 0, 0), (1, 0, 0), (0, 0, 0), (0, 0, -1)  # a face along -Y


@pytest.fixture
def rig(addon):
    """An armature with a head bone that points up; the artist has turned and keyed it."""
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    rig.pose.bones["Bone"].rotation_mode = "XYZ"
    rig.pose.bones["Bone"].rotation_euler = 0.3, 0.2, 0.1
    rig.pose.bones["Bone"].keyframe_insert("rotation_euler", frame=1)
    return rig


def line(name: str, first: int, frames: int = FRAMES) -> Line:
    return replace(Line(name, "Scene", "a.wav", None, FPS, first, frames, 0.0, 2.0, 0.0), id=name)


def nod(seed: int, frames: int = FRAMES) -> np.ndarray:
    """Angles (F, 3) in radians that are at rest nowhere."""
    t = np.arange(frames) / FPS + seed
    return np.radians(np.stack((5 + 2 * np.sin(3 * t), np.cos(2 * t), 3 + np.sin(t)), 1))


def write(rig, name: str, first: int, seed: int = 0) -> None:
    head_motion.write(rig, "Bone", line(name, first), nod(seed), MARKS)


def curves(rig) -> list[bpy.types.FCurve]:
    action = head_motion.find_constraint(rig, "Bone").target.animation_data.action
    return sorted(compat.fcurves_of(action), key=lambda curve: curve.array_index)


def angles(rig, first: int, last: int) -> np.ndarray:
    """Values (F, 3) of the curves."""
    return np.array([[curve.evaluate(frame) for curve in curves(rig)] for frame in range(first, last + 1)])


def steps(rig, first: int = 1, last: int = 500) -> float:
    """The largest turn from one frame to the next, in degrees."""
    return np.degrees(np.abs(np.diff(angles(rig, first, last), axis=0)).max())


def pose(rig, frame: int) -> Matrix:
    bpy.context.scene.frame_set(frame)
    return rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["Bone"].matrix.copy()


def test_it_adds_to_the_artists_pose_and_is_at_rest_outside(rig):
    before = pose(rig, 1)
    write(rig, "a", 100)
    assert np.abs(np.array(pose(rig, 120)) - np.array(before)).max() > 0.01
    for frame in (1, 100 - EASE, 100 + FRAMES - 1 + EASE, 400):
        np.testing.assert_allclose(np.array(pose(rig, frame)), np.array(before), atol=1e-5)
    turned = before.to_quaternion().rotation_difference(pose(rig, 124).to_quaternion())
    wanted = Euler(nod(0)[24].tolist()).to_quaternion()
    assert turned.angle == pytest.approx(wanted.angle, abs=1e-3)
    assert steps(rig) < 1.5, "it comes and goes without a jump"


def test_two_lines_keep_each_others_motion(rig):
    write(rig, "a", 50)
    alone = angles(rig, 1, 150)
    write(rig, "b", 200, 3)
    np.testing.assert_array_equal(angles(rig, 1, 150), alone)
    write(rig, "a", 50, 7)
    assert np.abs(angles(rig, 50, 97) - alone[49:97]).max() > 0.01
    head_motion.remove_line(rig, "Bone", "b")
    assert not np.abs(angles(rig, 50 + FRAMES + EASE, 500)).any() and head_motion.has_line(rig, "Bone", "a")
    head_motion.remove_line(rig, "Bone", "a")
    assert head_motion.find_constraint(rig, "Bone") is None and not [o for o in bpy.data.objects if o.type == "EMPTY"]


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("second", [80, 101, 110, 50])
def test_lines_that_overlap_leave_nothing_behind_in_any_order(rig, order, second):
    """A recording may begin in the middle of a line: both were written, and both can go."""
    write(rig, "a", 50)
    write(rig, "b", second, 3)
    np.testing.assert_allclose(angles(rig, second, second + FRAMES - 1)[:, 0], angles_of(rig, 3), atol=1e-5)
    assert steps(rig) < 2
    for name in order:
        assert not np.abs(angles(rig, 1, 50 - EASE)).any() and not np.abs(angles(rig, 300, 500)).any()
        head_motion.remove_line(rig, "Bone", name)
        if name == order[0]:
            assert steps(rig) < 2
    assert head_motion.find_constraint(rig, "Bone") is None


def angles_of(rig, seed: int) -> np.ndarray:
    """What a line alone would have."""
    return head_motion._local_rotations(rig, "Bone", nod(seed), MARKS)[:, 0]


def test_a_line_that_is_written_elsewhere_takes_its_keys_along(rig):
    write(rig, "a", 50)
    write(rig, "b", 200, 3)
    write(rig, "a", 300)
    assert not np.abs(angles(rig, 1, 200 - EASE)).any() and np.abs(angles(rig, 300, 340)).max() > 0.05
    curve = curves(rig)[0]
    curve.keyframe_points[-EASE - 5].co.y += 0.1
    write(rig, "a", 50)
    assert np.abs(angles(rig, 300, 340)).max() > 0.05, "the artist has edited them"


def test_a_line_is_moved_with_the_keys_of_the_artist(rig):
    write(rig, "a", 50)
    write(rig, "b", 200, 3)
    before, one = angles(rig, 200 - EASE, 200 + FRAMES + EASE), angles(rig, 1, 120)
    curves(rig)[0].keyframe_points.insert(220, 0.7)
    head_motion.move_line(rig, "Bone", "b", 60)
    after = angles(rig, 260 - EASE, 260 + FRAMES + EASE)
    assert after[EASE + 20, 0] == pytest.approx(0.7)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-6)
    np.testing.assert_array_equal(angles(rig, 1, 120), one)
    assert not np.abs(angles(rig, 120, 260 - EASE)).any()
    head_motion.remove_line(rig, "Bone", "b")
    assert angles(rig, 280, 280)[0, 0] == pytest.approx(0.7), "edited keys stay"
