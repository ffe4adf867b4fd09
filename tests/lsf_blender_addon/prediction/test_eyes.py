"""Blinks and gaze, mixed into the channels of the eyes."""

import numpy as np
import pytest

from lsf_blender_addon.prediction import eyes
from lsf_blender_addon.prediction.eyes import LIDS, LOOKS, Eyes
from server.arkit import CHANNELS

FRAMES = 60
BLINKS = np.zeros((2, FRAMES), np.float32)
BLINKS[0, 10:14] = 0.5, 1.0, 1.0, 0.4
BLINKS[1, 40:44] = BLINKS[0, 10:14]
GAZE = np.zeros((2, FRAMES, 2), np.float32)
GAZE[0, 20:30] = 14, -13  # degrees to the head's left, and down
GAZE[1, 20:30] = -7, 11


def speech(lids: float = 0.3, looks: float = 0.0) -> np.ndarray:
    """Motion (F, 52) whose channels of the eyes are constant."""
    motion = np.random.default_rng(0).random((FRAMES, 52)).astype(np.float32)
    for names, value in ((LIDS, lids), (LOOKS, looks)):
        motion[:, [CHANNELS.index(name) for name in names]] = value
    return motion


def mixed(motion, wanted=Eyes(), blinks=BLINKS, gaze=GAZE) -> np.ndarray:  # noqa: B008  # it is frozen
    before = motion.copy()
    result = eyes.mixed(CHANNELS, motion, blinks, gaze, wanted)
    np.testing.assert_array_equal(motion, before)
    assert result.dtype == np.float32 and result.shape == motion.shape
    return result


def column(motion, name: str) -> np.ndarray:
    return motion[:, CHANNELS.index(name)]


@pytest.mark.parametrize("lids", [-0.15, 0.0, 0.3, 0.9, 1.0])
def test_lids_of_speech_and_a_blink_close_fully_and_no_further(lids):
    motion = speech(lids)
    result = mixed(motion)
    for name in LIDS:
        lid = column(result, name)
        assert lid.max() == pytest.approx(1, abs=1e-6) and (lid[11:13] == lid.max()).all()
        np.testing.assert_allclose(np.delete(lid, range(10, 14)), lids, atol=1e-6)
        assert (lid[10:14] >= lids).all() and lid[10] == pytest.approx(lids + 0.5 * (1 - lids), abs=1e-6)


def test_lids_beyond_1_are_not_opened_by_a_blink():
    motion = speech(1.2)
    np.testing.assert_array_equal(mixed(motion, gaze=GAZE[:0]), motion)


def test_only_the_eyes_change():
    motion = speech()
    changed = {CHANNELS[k] for k in np.flatnonzero(np.ptp(mixed(motion) - motion, axis=0))}
    assert changed == {*LIDS, "eyeLookOutLeft", "eyeLookInRight", "eyeLookDownLeft", "eyeLookDownRight"}
    assert changed < eyes.CHANNELS


@pytest.mark.parametrize("looks", [0.0, 0.2])
def test_gaze_is_added_to_the_looks_of_speech(looks):
    motion = speech(looks=looks)
    result = mixed(motion)
    for name, turned in (("OutLeft", 0.5), ("InRight", 0.5), ("DownLeft", 0.5), ("InLeft", 0), ("UpLeft", 0)):
        look = column(result, f"eyeLook{name}")
        np.testing.assert_allclose(look[20:30], looks + turned, atol=1e-6)
        np.testing.assert_allclose(np.delete(look, range(20, 30)), looks, atol=1e-6)


def test_both_eyes_look_the_same_way_whatever_the_direction():
    curves = eyes.look_curves(np.array([[28, 22], [-28, -26], [0, 0]], np.float32))
    values = {name: curve.tolist() for name, curve in curves.items()}
    assert values == {
        "eyeLookOutLeft": [1, 0, 0],
        "eyeLookInRight": [1, 0, 0],
        "eyeLookInLeft": [0, 1, 0],
        "eyeLookOutRight": [0, 1, 0],
        "eyeLookUpLeft": [1, 0, 0],
        "eyeLookUpRight": [1, 0, 0],
        "eyeLookDownLeft": [0, 1, 0],
        "eyeLookDownRight": [0, 1, 0],
    }


def test_eyes_turn_no_further_than_a_channel_goes():
    result = mixed(speech(looks=0.6), gaze=3 * GAZE)
    assert column(result, "eyeLookOutLeft").max() == pytest.approx(1, abs=1e-6)
    assert column(mixed(speech(looks=1.1)), "eyeLookOutLeft").max() == pytest.approx(1.1)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_each_has_its_factor(factor):
    motion = speech()
    fewer, calmer = mixed(motion, Eyes(blinks=factor)), mixed(motion, Eyes(gaze=factor))
    assert column(fewer, "eyeBlinkRight").max() == pytest.approx(0.3 + 0.7 * factor, abs=1e-6)
    assert column(fewer, "eyeLookOutLeft").max() == pytest.approx(0.5)
    assert column(calmer, "eyeBlinkRight").max() == pytest.approx(1)
    assert column(calmer, "eyeLookOutLeft").max() == pytest.approx(0.5 * factor)


def test_without_both_it_is_the_motion_itself():
    motion = speech()
    assert eyes.mixed(CHANNELS, motion, BLINKS, GAZE, Eyes(0, 0, 1)) is motion
    assert eyes.mixed(CHANNELS, motion, BLINKS[:0], GAZE[:0], Eyes()) is motion
    assert eyes.mixed(("jawOpen",), motion[:, :1], BLINKS, GAZE, Eyes()).shape == (FRAMES, 1)


def test_a_variant_has_other_blinks_and_another_gaze():
    first, second, third = (mixed(speech(), Eyes(variant=variant)) for variant in range(3))
    lids = [column(motion, "eyeBlinkLeft").argmax() for motion in (first, second)]
    assert lids == [11, 41]
    assert column(first, "eyeLookUpLeft").max() == 0 and column(second, "eyeLookUpLeft").max() == pytest.approx(0.5)
    np.testing.assert_array_equal(third, first, "there are two")
