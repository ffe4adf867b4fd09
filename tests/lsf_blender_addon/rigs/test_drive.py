"""Values of a rig's keys for a motion, and offsets of the parts that follow them."""

import numpy as np
import pytest

from lsf_blender_addon.rigs import drive
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row

CHANNELS = ["jawOpen", "mouthFunnel", "eyeBlinkLeft", "eyeBlinkRight"]
LIMITS = dict.fromkeys(("open", "lids", "fun1", "fun2", "aa", "oh"), (0.0, 1.0))


@pytest.fixture
def basis():
    """Offsets (4, 30, 3) of four channels, each on vertices of its own."""
    offsets = np.zeros((4, 30, 3), np.float32)
    rng = np.random.default_rng(0)
    for k in range(4):
        offsets[k, 7 * k : 7 * k + 7] = rng.normal(size=(7, 3))
    return offsets


@pytest.fixture
def motion():
    return np.random.default_rng(1).uniform(0, 0.9, (20, 4)).astype(np.float32)


def make(mapping, basis, motion, shapes=None, solved=None, add_missing=False, head=0):
    shapes = np.zeros((0, 30, 3), np.float32) if shapes is None else shapes
    return drive.make_drive(
        mapping, shapes, LIMITS, CHANNELS, motion, basis, solved=solved, add_missing=add_missing, head=head
    )


def test_gains_and_several_channels(basis, motion):
    lids = [Row("lids", channel, 0.5) for channel in ("eyeBlinkLeft", "eyeBlinkRight")]
    mapping = Mapping("", (Row("open", "jawOpen", 0.5), *lids))
    made, offsets = make(mapping, basis, motion)
    assert made.keys == ("open", "lids")
    np.testing.assert_allclose(made.values(motion), np.stack([0.5 * motion[:, 0], motion[:, 2:].mean(1)], 1), atol=1e-6)
    np.testing.assert_allclose(offsets[0], 2 * basis[0], atol=1e-5)
    np.testing.assert_allclose(offsets[1], basis[2] + basis[3], atol=1e-5)


def test_one_channel_on_two_keys(basis, motion):
    made, offsets = make(Mapping("", (Row("fun1", "mouthFunnel"), Row("fun2", "mouthFunnel"))), basis, motion)
    np.testing.assert_allclose(made.values(motion), motion[:, [1, 1]], atol=1e-6)
    np.testing.assert_allclose(offsets.sum(0), basis[1], atol=1e-5)


def test_sliders_are_kept(basis, motion):
    made, _offsets = make(Mapping("", (Row("open", "jawOpen", 3.0),)), basis, motion)
    np.testing.assert_allclose(made.values(motion)[:, 0], np.minimum(3 * motion[:, 0], 1), atol=1e-6)


def test_solved_keys_have_the_servers_values(basis, motion):
    """Exactly for the motion that was predicted."""
    shapes = np.stack([0.8 * basis[0], 0.5 * basis[0] + 1.2 * basis[1]])
    solved = np.random.default_rng(2).uniform(0, 1, (20, 2)).astype(np.float32)
    made, offsets = make(Mapping("", (Row("aa", SOLVED), Row("oh", SOLVED))), basis, motion, shapes, solved)
    np.testing.assert_allclose(made.values(motion), solved, atol=1e-6)
    np.testing.assert_allclose(offsets, shapes, atol=0.02), "a part follows as the channels that make up the shape do"


def test_less_of_a_channel_is_less_of_the_solved_keys_that_follow_it(basis, motion):
    """Also of keys that stand in for each other: the shapes alone would give one of them more."""
    shapes = np.stack([basis[0] + 0.2 * basis[1], basis[0] - 0.2 * basis[1]])
    solved = np.concatenate([0.5 * motion[:, :1], 0.4 * motion[:, :1]], 1)
    made, _offsets = make(Mapping("", (Row("aa", SOLVED), Row("oh", SOLVED))), basis, motion, shapes, solved)
    less = motion * np.float32([0.5, 1, 1, 1])
    drop = (solved - made.values(less)).mean(0) / (solved - 0.5 * solved).mean(0)
    assert (drop > 0.3).all() and (drop < 1.1).all()


def test_a_channel_that_rests_in_the_line_moves_solved_keys_by_their_shapes(basis, motion):
    motion[:, 1] = 0
    solved = motion[:, :1] / 0.8
    made, _offsets = make(
        Mapping("", (Row("aa", SOLVED), Row("oh", SOLVED))),
        basis,
        motion,
        np.stack([0.8 * basis[0], 1.2 * basis[1]]),
        np.concatenate([solved, 0 * solved], 1),
    )
    change = np.zeros_like(motion)
    change[:, 1] = 0.3
    np.testing.assert_allclose(made.values(motion + change)[:, 1], 0.25, atol=0.01)


def test_missing_channels_get_keys_on_request(basis, motion):
    mapping = Mapping("", (Row("aa", SOLVED), Row("lids", "eyeBlinkLeft")))
    solved = motion[:, :1] / 0.8
    shapes = 0.8 * basis[:1]
    assert make(mapping, basis, motion, shapes, solved)[0].keys == ("lids", "aa")
    made, offsets = make(mapping, basis, motion, shapes, solved, add_missing=True)
    assert made.keys == ("lids", "aa", "mouthFunnel", "eyeBlinkRight"), "the jaw is shown by aa"
    np.testing.assert_allclose(made.values(motion)[:, 2:], motion[:, [1, 3]], atol=1e-6)
    np.testing.assert_array_equal(offsets[2:], basis[[1, 3]])


def test_motion_that_is_added_to_the_prediction(basis, motion):
    """A blink goes through the drive as speech does."""
    made, _offsets = make(Mapping("", (Row("lids", "eyeBlinkLeft", 0.5),)), basis, motion)
    blink = np.zeros_like(motion)
    blink[5:8, 2] = 0.4
    np.testing.assert_allclose(made.values(motion + blink)[:, 0], 0.5 * (motion + blink)[:, 2], atol=1e-6)
    np.testing.assert_allclose(made.key_offsets(np.ones((4, 2, 3)))[0], 2.0, atol=1e-5)


def test_the_heads_own_shapes_are_left_alone(basis, motion):
    mapping = Mapping("", (Row("aa", SOLVED), Row("lids", "eyeBlinkLeft")))
    shapes, solved = 0.8 * basis[:1] + basis[2:3], motion[:, :1]
    _made, whole = make(mapping, basis, motion, shapes, solved, add_missing=True)
    _made, split = make(mapping, basis, motion, shapes, solved, add_missing=True, head=20)
    np.testing.assert_allclose(split[:, 20:], whole[:, 20:], atol=1e-6)
    assert not split[:2, :20].any() and split[2:, :20].any(), "the added keys need theirs"
