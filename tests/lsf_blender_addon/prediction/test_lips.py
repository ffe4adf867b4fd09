"""Offsets of the lips are in millimetres, for heads of any size and orientation."""

import numpy as np
import pytest

from lsf_blender_addon.prediction import lips


def face():
    """68 landmarks, and a basis of two channels: the lower lip down by 2 units, all to the left by 1."""
    rng = np.random.default_rng(0)
    landmarks = rng.normal(0, 1, (68, 3))
    landmarks[36], landmarks[45], landmarks[8] = (-44.6, 0, 100), (44.6, 0, 100), (0, 0, 0)
    basis = np.zeros((2, 68, 3))
    basis[0, 66] = 0, 0, -2
    basis[1] = 1, 0, 0
    return basis, landmarks


def test_millimetres_in_the_heads_axes():
    basis, landmarks = face()
    moved = lips.measure(basis, landmarks, np.arange(68))
    assert moved.shape == (2, 20, 3)
    np.testing.assert_allclose(moved[0, 66 - 48], (0, 0, -2), atol=1e-5)
    np.testing.assert_allclose(moved[1], np.broadcast_to((1, 0, 0), (20, 3)), atol=1e-5)
    np.testing.assert_allclose(lips.opening(moved), (2, 0), atol=1e-5)


def test_a_head_that_is_turned_and_in_other_units():
    basis, landmarks = face()
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(0, 1, (3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    expected = lips.measure(basis, landmarks, np.arange(68))
    found = lips.measure(0.01 * basis @ turn, 0.01 * landmarks @ turn + 5, np.arange(68))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_lips_that_are_not_known():
    assert not lips.opening(np.zeros((3, 0, 3))).any()


def test_lips_meet_at_the_aperture_that_the_server_closes():
    from server.performance.lip_contact import CONTACT_APERTURE

    assert pytest.approx(1000 * CONTACT_APERTURE) == lips.CONTACT_APERTURE
