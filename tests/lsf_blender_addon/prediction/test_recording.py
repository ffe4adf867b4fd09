"""A recorded face as a prediction: looks from the angles of the eyes, and turns of the head."""

import numpy as np
import pytest

from lsf_blender_addon.formats.curves import Curves
from lsf_blender_addon.formats.live_link import ANGLES, Recording
from lsf_blender_addon.prediction import recording

SECONDS = np.arange(90) / 30


def recorded(shapes=None, **angles) -> Recording:
    shapes = shapes or {"jawOpen": np.ones(90)}
    columns = np.array([angles.get(name, np.zeros(90)) for name in ANGLES]).T
    return Recording(
        Curves(list(shapes), SECONDS, np.array(list(shapes.values())).T.astype(np.float32)),
        Curves(list(ANGLES), SECONDS, columns.astype(np.float32)),
    )


def test_both_eyes_keep_their_own_angles():
    """Eyes that look at something near turn to the nose; a pitch above 0 is down."""
    near = np.full(90, np.radians(7))
    looks = recording.channels(recorded(LeftEyeYaw=-near, RightEyeYaw=near, LeftEyePitch=near, RightEyePitch=near))
    values = dict(zip(looks.names, looks.values.T, strict=True))
    for name, expected in (("eyeLookInLeft", 7 / 28), ("eyeLookInRight", 7 / 28), ("eyeLookDownLeft", 7 / 26)):
        np.testing.assert_allclose(values[name], expected, atol=1e-5, err_msg=name)
    for name in ("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft"):
        assert not values[name].any(), name
    assert len(looks.names) == 9 and looks.names[0] == "jawOpen"


def test_recorded_looks_and_files_without_angles_stay():
    looks = {"jawOpen": np.ones(90), "eyeLookUpLeft": np.full(90, 0.2)}
    plain = recorded(looks, LeftEyeYaw=np.ones(90))
    assert recording.channels(plain) is plain.shapes
    still = recorded()
    assert recording.channels(still) is still.shapes
    without = Recording(still.shapes, Curves([], SECONDS, np.zeros((90, 0), np.float32)))
    assert recording.channels(without) is without.shapes and recording.head_turns(without, 24.0) is None


def test_a_head_that_was_not_recorded_does_not_turn():
    assert recording.head_turns(recorded(HeadPitch=np.full(90, 0.4)), 30.0) is None


@pytest.mark.parametrize("at_rest", [(0, 0, 0), (3.0, 0.3, -0.2), (-2.0, -0.6, 0.4)])
def test_turns_are_relative_to_the_usual_direction(at_rest):
    """A head that is turned to its own left by a quarter of a second's nod: whatever way it faces the phone."""
    matrices = recording._matrices(np.array([at_rest], float))
    nod = np.zeros((90, 3))
    nod[40:50, 1] = 0.2  # of most frames, the direction is that at rest
    turned = matrices @ recording._matrices(nod)
    yaw, pitch, roll = angles_of(turned)
    found = recording.head_turns(recorded(HeadYaw=yaw, HeadPitch=pitch, HeadRoll=roll), 30.0)
    assert found.shape == (90, 3)
    np.testing.assert_allclose(found[:, 0], nod[:, 1], atol=1e-5)
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-5)


def angles_of(matrices):
    """Yaw, pitch and roll (F,) of rotations (F, 3, 3): the inverse of the module's formula."""
    pitch = np.arcsin(matrices[:, 2, 1])
    yaw = np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1])
    roll = -np.arctan2(-matrices[:, 2, 0], matrices[:, 2, 2])
    return yaw, pitch, roll


def test_axes_of_the_turns():
    """For a face along -Y: to its left is about +Z, down about +X, a tilt to the right about -Y."""
    for name, axis, sign in (("HeadYaw", 2, 1), ("HeadPitch", 0, 1), ("HeadRoll", 1, -1)):
        curve = np.zeros(90)
        curve[10:20] = 0.3
        found = recording.head_turns(recorded(**{name: curve}), 30.0)
        assert found[15, axis] == pytest.approx(sign * 0.3, abs=1e-5)
        assert np.abs(np.delete(found[15], axis)).max() < 1e-5


def test_a_turn_past_half_a_circle_is_smooth():
    yaw = np.pi - 0.05 + 0.1 * np.sin(np.arange(90) / 10)
    found = recording.head_turns(recorded(HeadYaw=(yaw + np.pi) % (2 * np.pi) - np.pi), 60.0)
    assert np.abs(np.diff(found[:, 2])).max() < 0.02
