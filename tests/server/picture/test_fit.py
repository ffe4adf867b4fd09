"""The fit, with landmarks that are projected from the head directly: no network."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.picture import fit, places
from server.picture.camera import Camera, rotation_matrix
from server.picture.landmarks import COUNT

HEAD = places.load()


def landmarks(weights, identity=(), camera=None):
    """Landmarks (478, 2) of a head with these weights by name, as the places say."""
    points = HEAD.points.astype(float)
    for name, weight in weights.items():
        points = points + weight * HEAD.basis[CHANNELS.index(name)]
    points = points + np.tensordot(identity, HEAD.identity[: len(identity)], 1)
    return (camera or Camera(np.array([0.1, 0.3, -0.2]), np.array([300.0, 200.0]), 1500.0, 0.8)).project(points)


def test_a_point_is_projected_as_by_hand():
    camera = Camera(np.array([0, 0, np.pi / 2]), np.array([10.0, 20.0]), 100.0, 0.5)
    # A quarter turn about Z takes x to y: 1 m to the left of the middle becomes 1 m behind it.
    assert camera.project(np.array([[1.0, 0, 0.6]])) == pytest.approx(np.array([[10.0, 20 - 100 * 0.6 / 1.5]]))


@pytest.mark.parametrize("vector", [(0, 0, 0), (0.3, -0.2, 0.9), (0, np.pi, 0)])
def test_rotations_are_those_of_scipy(vector):
    from scipy.spatial.transform import Rotation

    assert rotation_matrix(np.array(vector, float)) == pytest.approx(Rotation.from_rotvec(vector).as_matrix())


@pytest.mark.parametrize("known", [False, True])
def test_the_derivatives_are_those_of_differences(known):
    neutral = fit.fit(landmarks({}, (1.0, -0.5)), expression=False) if known else None
    problem = fit._Problem(landmarks({"jawOpen": 0.5}), HEAD, neutral, True)
    at = problem.start + 0.01 * np.random.default_rng(0).random(len(problem.start))
    slope = problem.jacobian(at)
    for column in (*range(9), len(at) - 1):
        step = np.zeros(len(at))
        step[column] = 1e-6
        expected = (problem.residuals(at + step) - problem.residuals(at - step)) / 2e-6
        assert slope[:, column] == pytest.approx(expected, abs=1e-5 * np.abs(slope).max())


def test_an_asymmetric_expression_is_found_on_its_side():
    true = {"mouthSmileLeft": 0.9, "browOuterUpRight": 0.8, "jawOpen": 0.4}
    identity = (0.8, -0.6, 0.4)
    neutral = fit.fit(landmarks({}, identity), expression=False)
    found = dict(zip(CHANNELS, fit.fit(landmarks(true, identity), neutral).weights, strict=True))
    assert found["mouthSmileLeft"] > 0.6 and found["mouthSmileRight"] < 0.05
    assert found["browOuterUpRight"] > 0.5 and found["browOuterUpLeft"] < 0.1
    assert found["jawOpen"] == pytest.approx(0.4, abs=0.1)


def test_a_neutral_face_has_no_weights_whoever_it_is():
    pixels = landmarks({}, np.random.default_rng(3).normal(0, 0.8, 50))
    assert fit.fit(pixels).weights.max() < 0.05
    assert fit.fit(pixels, fit.fit(pixels, expression=False)).weights.max() < 1e-6


def test_what_a_neutral_picture_shows_is_left_out():
    # A person whose brows are higher than any identity mode makes them: with a neutral picture they are no expression.
    odd = np.zeros((COUNT, 2))
    odd[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 1] = -8.0
    neutral = fit.fit(landmarks({}) + odd, expression=False)
    assert fit.fit(landmarks({}) + odd, neutral).weights.max() < 0.02


def test_a_turned_and_scaled_picture_gives_the_same():
    pixels = landmarks({"mouthSmileLeft": 0.8, "jawOpen": 0.3})
    turned = 0.3 * (pixels @ np.array([[0.0, 1.0], [-1.0, 0.0]])) + [50, 900]
    assert fit.fit(turned).weights == pytest.approx(fit.fit(pixels).weights, abs=1e-3)
