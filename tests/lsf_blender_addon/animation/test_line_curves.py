"""The curves of one line: sliders, blinks and gaze, the keys of a rig, its place. No Blender."""

from dataclasses import replace

import numpy as np
import pytest

from lsf_blender_addon.animation import line_curves
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.animation.line_curves import Rank, Sliders
from lsf_blender_addon.prediction import store
from lsf_blender_addon.prediction.eyes import Eyes
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.prediction.tweaks import Tweaks
from lsf_blender_addon.rigs.drive import Drive

CHANNELS = ("jawOpen", "eyeBlinkLeft", "eyeLookUpLeft")
FRAMES = 30


@pytest.fixture
def predicted() -> Prediction:
    values = np.random.default_rng(0).random((FRAMES, 3)).astype(np.float32) * 0.5
    blinks = np.zeros((2, FRAMES), np.float32)
    blinks[0, 10:13] = blinks[1, 20:23] = 1
    gaze = np.zeros((2, FRAMES, 2), np.float32)
    gaze[0, :, 1] = 11
    return Prediction(
        fps=24.0,
        channels=CHANNELS,
        motion=values,
        expression=np.zeros_like(values),
        emotions=(),
        emotion=np.zeros((FRAMES, 0), np.float32),
        temperature=0.0,
        seed=0,
        lips=np.zeros((3, 0, 3), np.float32),
        blinks=blinks,
        gaze=gaze,
    )


def test_defaults_are_the_prediction_with_its_eyes(predicted):
    made = line_curves.make(predicted, Sliders(), 100)
    assert made.names == CHANNELS and made.first_frame == 100 and made.rank == Rank.STRIP
    assert made.bound == ErrorBound() and made.window == (95, 134)
    np.testing.assert_array_equal(made.motion[:, 0], predicted.motion[:, 0])
    np.testing.assert_allclose(made.motion[10:13, 1], 1)
    np.testing.assert_allclose(made.motion[:, 2], predicted.motion[:, 2] + 0.5, atol=1e-6)


def test_without_eyes_it_is_the_prediction(predicted):
    for sliders in (Sliders(eyes=Eyes(blinks=0, gaze=0)), Sliders()):
        bare = replace(predicted, blinks=store.NO_BLINKS, gaze=store.NO_GAZE) if sliders == Sliders() else predicted
        np.testing.assert_array_equal(line_curves.make(bare, sliders, 1).motion, predicted.motion)


def test_sliders_change_speech_and_eyes_apart(predicted):
    made = line_curves.make(predicted, Sliders(Tweaks(jaw=0.5), Eyes(0.5, 0, 1)), 1)
    np.testing.assert_allclose(made.motion[:, 0], predicted.motion[:, 0] / 2, atol=1e-6)
    np.testing.assert_array_equal(made.motion[10:13, 1:], predicted.motion[10:13, 1:])
    assert (made.motion[20:23, 1] >= 0.5).all()


def test_a_muted_channel_stays_at_rest_whatever_moves_it(predicted):
    made = line_curves.make(predicted, Sliders(Tweaks(muted=frozenset(CHANNELS[1:]))), 1)
    assert not made.motion[:, 1:].any() and made.motion[:, 0].any()
    assert predicted.motion.all(), "the prediction is not changed"


def test_the_offset_moves_the_line(predicted):
    assert line_curves.make(predicted, Sliders(offset=-7), 100).window == (88, 127)


@pytest.mark.parametrize(("density", "value"), [(0.0, 0.1), (0.5, 0.01), (0.75, 0.01 / 10**0.5)])
def test_density_is_the_error_that_is_allowed(density, value):
    bound = line_curves.error_bound(density)
    assert bound.value == pytest.approx(value) and bound.millimetres == pytest.approx(20 * value)
    assert line_curves.error_bound(1.0) is None


def test_a_rig_gets_keys_of_its_own(predicted):
    matrix = np.array([[1, 0], [0, 0.5], [0, 0.25]], np.float32)
    drive = Drive(("open", "lid"), matrix, np.zeros((FRAMES, 2), np.float32), np.zeros(2), np.ones(2))
    made = line_curves.make(replace(predicted, drive=drive), Sliders(Tweaks(jaw=0.5)), 1, Rank.RECORDING)
    assert made.names == ("open", "lid") and made.rank == Rank.RECORDING and made.lips.shape[0] == 2
    np.testing.assert_allclose(made.motion[:, 0], predicted.motion[:, 0] / 2, atol=1e-6)


@pytest.mark.parametrize(("fps", "ease"), [(1, 1), (12, 2), (23.976, 5), (24, 5), (25, 5), (29.97, 6), (60, 12)])
def test_a_line_eases_for_a_fifth_of_a_second(fps, ease):
    assert line_curves.ease_frames(fps) == ease
    assert line_curves.window_of(10, 20, fps) == (10 - ease, 29 + ease)
