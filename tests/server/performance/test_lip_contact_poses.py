"""Poses of an artist on top of speech: closures hold on both sides at full strength, and nothing else is lost."""

import numpy as np
import pytest
from scipy.ndimage import minimum_filter1d

from server.arkit import CHANNELS
from server.face.head import load_head
from server.performance import lip_contact
from server.performance.emotion.bank import Bank, Expression
from server.performance.lip_contact import LIP_POINTS, add_pose, held_closures, opening

FPS = 25.0
HOLDS = 0.00015  # metres by which lips that meet may part: less than the thickness of a hair and a half
POSES = {
    "snarl on one side": {"mouthUpperUpLeft": 1.0, "noseSneerLeft": 1.0},
    "bared teeth": dict.fromkeys(
        ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"), 1.0
    ),
    "shout": {"jawOpen": 1.0, "mouthFunnel": 1.0},
    "pressed on one side": {"mouthPressRight": 1.0},
    "everything": dict.fromkeys(CHANNELS, 1.0),
    "lopsided grin": {"mouthSmileRight": 1.0, "mouthDimpleRight": 0.6, "cheekSquintRight": 0.8},
}


def column(channel: str) -> int:
    return CHANNELS.index(channel)


def speech() -> np.ndarray:
    """Two seconds (50, 52): the mouth opens and closes; lips meet at frames 10 and 11 behind an open jaw, and at 30."""
    curves = np.zeros((50, len(CHANNELS)), np.float32)
    curves[:, column("jawOpen")] = 0.12 + 0.08 * np.sin(np.arange(50) / 3)
    curves[10:12, column("jawOpen")] = curves[10:12, column("mouthClose")] = 0.15
    curves[30, column("jawOpen")] = 0.0
    return curves


def shown(pose: dict[str, float], curves: np.ndarray) -> np.ndarray:
    """The curves with a pose at full strength, while the person speaks."""
    rows = np.repeat(Bank((Expression("A", pose),)).poses, len(curves), 0)
    return add_pose(curves, curves, rows, held_closures(curves, np.ones(len(curves)), FPS))


def gaps(curves: np.ndarray) -> np.ndarray:
    """Distances (F, 3) in metres of the inner lips on the left, in the middle and on the right, on the head's mesh."""
    head = load_head()
    vertices = np.einsum("fk,kvd->fvd", curves, head.basis[:, head.landmark_vertices])
    return np.stack([vertices[:, upper, 2] - vertices[:, lower, 2] for upper, lower in LIP_POINTS], 1)


@pytest.mark.parametrize("name", POSES)
def test_closures_hold_at_full_strength(name):
    curves = speech()
    result = shown(POSES[name], curves)
    closed = opening(curves) < 1e-4
    assert closed.sum() == 3 and (gaps(result)[closed] <= np.maximum(gaps(curves)[closed], 0) + HOLDS).all()
    assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("name", ["snarl on one side", "lopsided grin"])
def test_between_closures_the_pose_is_as_it_was_made(name):
    curves = speech()
    added = shown(POSES[name], curves) - curves
    wide = minimum_filter1d(opening(curves), 3) > 0.003  # the lips are on their way to and from a closure, too
    for channel, value in POSES[name].items():
        other = channel.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        np.testing.assert_allclose(added[wide, column(channel)], value, atol=1e-6)
        assert not added[:, column(other)].any(), "the other side stays still"


def test_what_moves_no_lip_is_shown_in_closures_too():
    curves = speech()
    added = shown({"browDownLeft": 0.7, "eyeBlinkRight": 1.0, "mouthUpperUpLeft": 1.0}, curves) - curves
    np.testing.assert_allclose(added[:, column("browDownLeft")], 0.7, atol=1e-6)
    np.testing.assert_allclose(added[:, column("eyeBlinkRight")], 1.0, atol=1e-6)


def test_in_a_pause_the_lips_belong_to_the_pose():
    curves = np.zeros((100, len(CHANNELS)), np.float32)
    talking = (np.arange(100) < 30).astype(float)
    held = held_closures(curves, talking, FPS)
    assert held[:36].min() == pytest.approx(1), "a silent p after the last sound is a closure"
    assert held[45:].max() == 0
    pose = np.repeat(Bank((Expression("A", POSES["bared teeth"]),)).poses, 100, 0)
    apart = gaps(add_pose(curves, curves, pose, held)).min(1)
    assert apart[:36].max() < HOLDS and apart[50:].min() > 0.005


def test_rounded_lips_are_not_spread():
    curves = np.zeros((4, len(CHANNELS)), np.float32)
    curves[:, column("jawOpen")], curves[:, column("mouthPucker")] = 0.3, 0.8
    added = shown({"mouthSmileLeft": 1.0}, curves) - curves
    np.testing.assert_allclose(added[:, column("mouthSmileLeft")], 1 - lip_contact.SPREADING_SHARE, atol=1e-6)
