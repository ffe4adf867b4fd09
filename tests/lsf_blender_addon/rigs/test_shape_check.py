"""Keys without a shape, and keys with the shape of another channel, are told from those that can be used."""

import numpy as np
import pytest

from lsf_blender_addon.rigs.shape_check import Fault, find_faults

EVERYWHERE = np.ones(40, bool)


@pytest.fixture
def wanted():
    return np.random.default_rng(0).normal(0, 0.1, (6, 40, 3)).astype(np.float32)


def test_good_shapes_have_no_fault(wanted):
    """However an artist sees the channel: another strength, and other details."""
    other = 0.4 * wanted + np.random.default_rng(1).normal(0, 0.05, wanted.shape)
    assert find_faults(other, wanted, EVERYWHERE) == [None] * 6


def test_empty_and_tiny_shapes(wanted):
    shapes = wanted * np.float32([0, 0.05, 1, 1, 1, 1])[:, None, None]
    assert find_faults(shapes, wanted, EVERYWHERE) == [Fault.EMPTY] * 2 + [None] * 4


def test_another_place_and_the_other_way(wanted):
    shapes = wanted.copy()
    shapes[0] *= -1
    shapes[1] = wanted[2]
    assert find_faults(shapes, wanted, EVERYWHERE) == [Fault.WRONG] * 2 + [None] * 4


def test_if_most_shapes_are_wrong_the_face_is_in_doubt(wanted):
    doubtful = Fault.DOUBTFUL
    assert find_faults(-wanted, wanted, EVERYWHERE) == [doubtful] * 6
    shapes = -wanted
    shapes[3] = 0
    assert find_faults(shapes, wanted, EVERYWHERE) == [doubtful] * 3 + [Fault.EMPTY] + [doubtful] * 2, (
        "which needs no face"
    )


def test_eyes_that_bones_turn_are_no_fault(wanted):
    """A key may move the lids alone, where its channel turns the eye, too."""
    skin = np.arange(40) < 10
    wanted[0, ~skin] *= 20
    shapes = wanted.copy()
    shapes[0, ~skin] = 0
    assert find_faults(3 * shapes, wanted, skin)[0] is None


def test_a_channel_that_moves_nothing_here_says_nothing(wanted):
    wanted[0] = 0
    shapes = wanted.copy()
    shapes[0] = 0.1
    assert find_faults(shapes, wanted, EVERYWHERE) == [None] * 6


def test_a_key_that_carries_the_whole_head(wanted):
    """Also if it has the channel's own shape beside."""
    wanted[:, 30:] = 0
    shapes = wanted.copy()
    shapes[0] = (0, 0, -0.3)
    shapes[1] += (0, 0, -0.3)
    assert find_faults(shapes, wanted, EVERYWHERE) == [Fault.WRONG] * 2 + [None] * 4


def test_a_key_that_leaves_the_lips_together(wanted):
    """As on a mesh whose lips were cut after its keys were made, or if only one half of the face moves."""
    wanted[:, :2] *= 0.1
    wanted[0, :2] = (0, 0, 0.1), (0, 0, -0.4)
    shapes = wanted.copy()
    shapes[0, 1] = shapes[0, 0]
    assert find_faults(shapes, wanted, EVERYWHERE, np.array([(0, 1)]), 1.0) == [Fault.WRONG] + [None] * 5
    assert find_faults(shapes, wanted, EVERYWHERE) == [None] * 6, "it is not known where the lips are"
