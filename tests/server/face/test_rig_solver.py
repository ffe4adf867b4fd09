"""Weights of a rig's own shapes: known mixes are recovered, limits hold, lips close, curves are smooth."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.engine import default_head
from server.errors import LSFError
from server.face.rig_solver import Rig, solve

UNIT = np.array([0.0, 1.0])


def row(channel):
    return CHANNELS.index(channel)


@pytest.fixture(scope="module")
def head():
    mesh, face = default_head()
    return mesh.vertices, face


def test_a_known_mix_is_recovered(head):
    vertices, face = head
    channels = ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthUpperUpRight", "browInnerUp", "eyeBlinkLeft")
    rng = np.random.default_rng(1)
    mix = np.eye(6) + 0.2 * rng.uniform(0, 1, (6, 6))  # every shape of the rig has a bit of all others
    shapes = np.tensordot(mix, face.basis[[row(c) for c in channels]], 1).astype(np.float32)
    wanted = 0.4 + 0.4 * np.sin(np.arange(150)[:, None] / 8 + np.arange(6))
    motion = np.zeros((150, 52))
    motion[:, [row(c) for c in channels]] = wanted @ mix
    weights = solve(Rig(shapes, np.tile(UNIT, (6, 1))), vertices, face, motion)
    np.testing.assert_allclose(weights, wanted, atol=0.04)
    assert weights.dtype == np.float32


def test_channels_that_something_else_shows_are_left_out(head):
    vertices, face = head
    shapes = np.stack([face.basis[row("jawOpen")], face.basis[row("mouthPucker")]])
    motion = np.zeros((40, 52))
    motion[:, [row("jawOpen"), row("mouthPucker")]] = 0.5
    weights = solve(Rig(shapes, np.tile(UNIT, (2, 1)), ("jawOpen",)), vertices, face, motion)
    np.testing.assert_allclose(weights[-1], [0, 0.5], atol=0.03)


def test_limits_hold_and_dead_shapes_stay(head):
    vertices, face = head
    shapes = np.stack([face.basis[row("jawOpen")] / 2, face.basis[row("mouthLeft")], 0 * face.basis[0]])
    limits = np.array([[0, 1], [-1, 0], [0.25, 0.5]])
    motion = np.zeros((40, 52))
    motion[:, row("jawOpen")] = np.linspace(0, 1, 40)
    motion[:, row("mouthLeft")] = 0.5
    weights = solve(Rig(shapes, limits), vertices, face, motion)
    assert (weights >= limits[:, 0]).all() and (weights <= limits[:, 1]).all()
    assert weights[-1, 0] == 1 and weights[:, 1].max() == 0 and (weights[:, 2] == 0.25).all()
    assert (solve(Rig(shapes[2:], limits[:1]), vertices, face, motion) == 0).all()


def test_a_rig_of_visemes_closes_its_lips(head):
    """Vowels with the jaw down, PP as pressed lips; p, b, m of three frames between vowels must reach contact."""
    vertices, face = head

    def viseme(**mix):
        return sum(v * face.basis[row(c)] for c, v in mix.items())

    shapes = np.stack(
        [
            viseme(jawOpen=0.6, mouthLowerDownLeft=0.2, mouthLowerDownRight=0.2),
            viseme(jawOpen=0.25, mouthPucker=0.8),
            viseme(jawOpen=0.2, mouthSmileLeft=0.4, mouthSmileRight=0.4),
            viseme(mouthPressLeft=0.6, mouthPressRight=0.6),
            viseme(mouthFunnel=0.6, jawOpen=0.15),
        ]
    )
    motion = np.zeros((60, 52))
    motion[:, row("jawOpen")] = 0.4 + 0.1 * np.sin(np.arange(60) / 5)
    motion[:, row("mouthSmileLeft")] = motion[:, row("mouthSmileRight")] = 0.15
    motion[29:32, row("jawOpen")] = 0.15
    motion[29:32, row("mouthClose")] = 0.15
    weights = solve(Rig(shapes, np.tile(UNIT, (5, 1))), vertices, face, motion)
    upper, lower = face.landmark_vertices[[62, 66]]

    def opening(offsets):
        return offsets[:, upper, 2] - offsets[:, lower, 2]

    wanted, have = opening(np.tensordot(motion, face.basis, 1)), opening(np.tensordot(weights, shapes, 1))
    assert wanted[30] < 0.002 < 0.008 < wanted[25]
    assert np.abs(have[29:32] - wanted[29:32]).max() < 0.0015
    assert np.abs(have - wanted).mean() < 0.002


def test_weights_are_smooth_in_time(head):
    """Two shapes that are almost the same must not take turns under a trembling motion."""
    vertices, face = head
    rng = np.random.default_rng(0)
    jaw = face.basis[row("jawOpen")]
    shapes = np.stack([jaw, jaw + rng.normal(0, 1e-4, jaw.shape)]).astype(np.float32)
    motion = np.zeros((100, 52))
    motion[:, row("jawOpen")] = 0.5 + 0.02 * rng.normal(size=100)
    weights = solve(Rig(shapes, np.tile(UNIT, (2, 1))), vertices, face, motion)
    assert np.abs(np.diff(weights, axis=0)).max() < 0.1
    np.testing.assert_allclose(weights.sum(1).mean(), 0.5, atol=0.02)


@pytest.mark.parametrize(
    ("shapes", "limits"),
    [
        (np.zeros((0, 4, 3), np.float32), np.zeros((0, 2))),
        (np.zeros((2, 4), np.float32), np.tile(UNIT, (2, 1))),
        (np.full((1, 4, 3), np.nan, np.float32), np.tile(UNIT, (1, 1))),
        (np.full((1, 4, 3), 1e38, np.float32), np.tile(UNIT, (1, 1))),
        (np.zeros((1, 4, 3), np.float32), np.array([[1.0, 0.0]])),
        (np.zeros((1, 4, 3), np.float32), np.array([[0.0, np.nan]])),
        (np.zeros((2, 4, 3), np.float32), np.tile(UNIT, (1, 1))),
    ],
)
def test_nonsense_is_refused(shapes, limits):
    with pytest.raises(LSFError) as caught:
        Rig(shapes, limits)
    assert caught.value.code == "bad_rig" and str(caught.value).endswith(".")


def test_a_rig_of_another_mesh_is_refused(head):
    with pytest.raises(LSFError) as caught:
        solve(Rig(np.zeros((1, 4, 3), np.float32), UNIT[None]), *head, np.zeros((3, 52)))
    assert caught.value.code == "bad_rig"
