"""The jaw's own keys: their bound holds, and few of them are enough."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from server.flame.jaw import (
    OPEN_RANGE,
    ROLL_RANGE,
    SIDE_RANGE,
    TARGET_BOUND,
    Jaw,
    JawKeys,
    choose_keys,
    error_bound,
    linear_error,
)


def chin(share=1.0, correctives=0.0):
    """Two vertices: the joint itself, and a chin 10 cm in front of it."""
    entries = np.zeros((9, 2, 3))
    entries[5, 1] = [0, 0, correctives]
    return Jaw(np.array([[0, 0, 0], [0, 0, 0.1]]), np.array([share, share]), np.zeros(3), entries, np.eye(3))


def shown(jaw, keys, rotation):
    return np.tensordot(keys.curves(rotation), keys.offsets(jaw), 1)


def random_rotations(count):
    random = np.random.default_rng(7)
    low, high = [OPEN_RANGE[0], -SIDE_RANGE, -ROLL_RANGE], [OPEN_RANGE[1], SIDE_RANGE, ROLL_RANGE]
    return random.uniform(low, high, (count, 3))


def test_offsets_by_hand():
    # Half a turn takes the chin to the other side; the corrective's entry (1, 2) of R − I is −sin 180° = 0.
    assert np.allclose(chin(0.5).offsets(np.array([[np.pi, 0, 0]]))[0, 1], [0, 0, -0.1], atol=1e-12)
    # A quarter turn: (0, 0, .1) goes to (0, −.1, 0). The corrective adds −.01 forward before, so −.11 comes of it: the
    # arm is .09 long.
    assert np.allclose(chin(1, 0.01).offsets(np.array([[np.pi / 2, 0, 0]]))[0, 1], [0, -0.09, -0.1], atol=1e-12)
    assert not chin().offsets(np.array([[0.4, 0.1, 0]]))[0, 0].any()


def test_the_jaw_carries_an_expression():
    moved = np.zeros((1, 2, 3))
    moved[0, 1] = [0, 0.02, 0]
    offset = chin().offsets(np.array([[np.pi / 2, 0, 0]]), moved)[0, 1]
    assert np.allclose(offset, [0, -0.1, -0.1 + 0.02], atol=1e-12)  # up in the jaw is forward after the quarter turn


def test_other_axes_give_the_same_motion():
    axes = Rotation.from_rotvec([0.3, -1, 0.5]).as_matrix()
    jaw, rotation = chin(0.7, 0.01), np.array([[0.3, 0.1, -0.05]])
    turned = Jaw(jaw.rest @ axes.T, jaw.share, jaw.joint, jaw.correctives @ axes.T, axes)
    assert np.allclose(turned.offsets(rotation), jaw.offsets(rotation) @ axes.T, atol=1e-12)


def test_a_linear_jaw_costs_half_the_square_of_the_angle():
    # The chord of an arc: the distance of r (sin x, 1 − cos x) from r (x, 0) is r x² / 2 for small angles.
    angles = np.radians([5, 10, 20])
    errors = linear_error(chin(), np.stack([angles, 0 * angles, 0 * angles], 1))[:, 1]
    assert errors == pytest.approx(0.1 * angles**2 / 2, rel=0.02)


def test_keys_are_exact_at_their_angles():
    jaw, keys = chin(0.8, 0.01), JawKeys((-0.1, 0.0, 0.25, 0.5), (0.0, 0.5))
    angles = [[-0.1, 0, 0], [0, 0, 0], [0.25, 0, 0], [0.5, 0, 0]]
    angles += [[x, y, 0] for x in (0, 0.5) for y in (-SIDE_RANGE, SIDE_RANGE)]
    angles += [[x, 0, z] for x in (0, 0.5) for z in (-ROLL_RANGE, ROLL_RANGE)]
    assert np.allclose(shown(jaw, keys, np.array(angles)), jaw.offsets(np.array(angles)), atol=1e-12)


def test_curves_are_weights_of_the_two_neighbours():
    keys = JawKeys((-0.1, 0.0, 0.2, 0.4), (0.0,))
    assert keys.names[:3] == ("jawClose06", "jawOpen11", "jawOpen23")
    curves = keys.curves(np.array([[0.25, 0, 0], [0.1, 0.05, 0], [-0.05, 0, -0.05], [9, 0, 0]]))
    assert np.allclose(curves[0, :3], [0, 0.75, 0.25])
    assert np.allclose(curves[1], [0, 0.5, 0, 0.5, 0, 0, 0])
    assert np.allclose(curves[2], [0.5, 0, 0, 0, 0, 0, 1])
    assert np.allclose(curves[3, :3], [0, 0, 1])  # cut
    assert len(set(keys.names)) == len(keys.names) == curves.shape[1]


@pytest.mark.parametrize(("share", "corrective"), [(1.0, 0.0), (0.6, 0.02), (1.0, -0.03)])
@pytest.mark.parametrize("keys", [JawKeys((-0.1, 0.0, 0.5), (0.0,)), JawKeys((-0.1, 0.0, 0.25, 0.5), (-0.1, 0.0, 0.5))])
def test_no_angle_in_the_range_is_beyond_the_bound(share, corrective, keys):
    jaw, rotation = chin(share, corrective), random_rotations(5000)
    errors = np.linalg.norm(shown(jaw, keys, rotation) - jaw.offsets(rotation), axis=-1)
    bound = error_bound(jaw, keys)
    assert 0.8 * bound < errors.max() < bound  # and it is not far above what happens


def test_the_curvature_bounds_second_differences():
    jaw, step = chin(0.9, 0.03), 1e-3
    rotation = random_rotations(300)
    for axis in np.eye(3):
        second = jaw.offsets(rotation + step * axis) + jaw.offsets(rotation - step * axis) - 2 * jaw.offsets(rotation)
        assert (np.linalg.norm(second, axis=-1) / step**2 < jaw.curvature() + 1e-6).all()


def test_keys_are_chosen_to_stay_below_the_target():
    jaw = chin(1, 0.01)
    keys, bound = choose_keys(jaw)
    assert bound < TARGET_BOUND and bound == pytest.approx(error_bound(jaw, keys))
    few, rough = choose_keys(jaw, 4 * TARGET_BOUND)
    assert len(few.names) < len(keys.names) and bound < rough < 4 * TARGET_BOUND
    most, best = choose_keys(jaw, 0.0)  # cannot be had: the most keys, and what they do reach
    assert len(most.names) > len(keys.names) and 0 < best < bound


def test_a_jaw_that_nothing_follows_needs_no_more_than_the_fewest_keys():
    keys, bound = choose_keys(chin(0.0))
    assert bound == 0 and len(keys.names) == 2 + 3 * 4
