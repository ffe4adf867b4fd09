"""Curves of bones: what channels do to a bone adds up, in every rotation mode, and without jumps."""

import numpy as np
import pytest

from lsf_blender_addon.animation import bone_curves
from lsf_blender_addon.scene.snapshots import BonePose, BoneRest

EULER = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
MODES = ("QUATERNION", "AXIS_ANGLE", *EULER)
NO_LIPS = np.zeros((2, 0, 3))


def neutral(mode: str) -> tuple[float, ...]:
    return {"QUATERNION": (1.0, 0.0, 0.0, 0.0), "AXIS_ANGLE": (0.0, 0.0, 1.0, 0.0)}.get(mode, (0.0, 0.0, 0.0))


def values(made: bone_curves.BoneCurves, rest: BoneRest) -> np.ndarray:
    """Rotations (F, 3 or 4) in the form of the mode; what no curve moves rests."""
    table = np.tile(np.array(rest.rotation, float), (len(made.values), 1))
    for component, column in zip(made.components, made.values.T, strict=True):
        if component.property.startswith("rotation"):
            table[:, component.index] = component.rest + component.unit * column
    return table


@pytest.mark.parametrize("mode", MODES)
def test_rotation_vectors_add_up_on_top_of_the_rest(mode):
    rng = np.random.default_rng(1)
    own = bone_curves.quaternions(np.array([[0.2, -0.3, 0.1]]))
    start = np.array(neutral(mode))
    rest = BoneRest("jaw", mode, rotation=tuple(bone_curves.from_quaternions(mode, own, start)[0]))
    turns = rng.normal(0, 0.4, (2, 3))
    poses = [BonePose(channel, "jaw", rotation=tuple(turn)) for channel, turn in zip("ab", turns, strict=True)]
    motion = rng.uniform(0, 1, (40, 2))
    made = values(bone_curves.make(poses, [rest], ["a", "b"], motion, NO_LIPS), rest)
    for row, turned in zip(motion, made, strict=True):
        found = bone_curves.to_quaternion(mode, turned)
        meant = bone_curves.multiply(own[0], bone_curves.quaternions((row @ turns)[None])[0])
        assert abs(found @ meant) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_no_jumps_where_a_bone_stands_far_turned(mode):
    rest = BoneRest("eye", mode, rotation=neutral(mode))
    turn = np.array([2.6, 0.4, -0.3]) * (0.5 if mode[1] == "X" else 1)  # not through the gimbal lock at 90 degrees
    motion = np.sin(np.linspace(0, 2 * np.pi, 400))[:, None]
    made = values(
        bone_curves.make([BonePose("a", "eye", rotation=tuple(turn))], [rest], ["a"], motion, NO_LIPS[:1]), rest
    )
    assert np.abs(np.diff(made, axis=0)).max() < 0.2
    meant = bone_curves.quaternions(motion * turn)
    found = np.array([bone_curves.to_quaternion(mode, turned) for turned in made])
    assert np.abs((found * meant).sum(1)).min() > 1 - 1e-6


def test_one_axis_needs_one_curve_and_locations_are_counted_in_what_a_pose_moves():
    poses = [
        BonePose("a", "jaw", (0, 0, -0.004), (0.4, 0, 0)),
        BonePose("b", "jaw", (0.001, 0, 0)),
        BonePose("c", "gone", (1, 0, 0)),
    ]
    lips = np.zeros((2, 2, 3))
    lips[0, 0] = 0, 0, -9
    made = bone_curves.make(poses, [BoneRest("jaw", "XYZ", rotation=(0, 0, 0))], ["a", "b"], np.eye(2), lips)
    assert [(c.property, c.index, c.unit) for c in made.components] == [
        ("location", 0, 0.004),
        ("location", 2, 0.004),
        ("rotation_euler", 0, pytest.approx(0.4)),
    ]
    assert np.allclose(made.values, [[0, -1, 1], [0.25, 0, 0]])
    assert np.allclose(made.lips[1, 0], (0, 0, 9)) and np.allclose(made.lips[2, 0], (0, 0, -9)), "millimetres of a unit"


def test_channels_that_are_not_there_rest_and_no_pose_makes_no_curve():
    rest = BoneRest("jaw", "QUATERNION")
    made = bone_curves.make([BonePose("z", "jaw", rotation=(0.3, 0, 0))], [rest], ["a"], np.ones((5, 1)), NO_LIPS[:1])
    assert made.values.shape == (5, 4) and not made.values.any()
    none = bone_curves.make([], [rest], ["a"], np.ones((5, 1)), NO_LIPS[:1])
    assert none.values.shape == (5, 0) and none.lips.shape == (0, 0, 3)
