"""Each slider changes its part of the prediction only, and lips that touched still touch."""

import numpy as np
import pytest

from lsf_blender_addon.prediction import lips, tweaks
from lsf_blender_addon.prediction.tweaks import Tweaks

CHANNELS = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "cheekPuff",
    "browInnerUp",
    "eyeBlinkLeft",
    "mouthSmileLeft",
    "mouthFrownRight",
    "eyeLookInLeft",
)
OPENING = (33, -33, 12, 0, 0, 0, 0, 0, 0)  # millimetres


@pytest.fixture
def motion() -> np.ndarray:
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 0.05, (200, len(CHANNELS)))
    motion = np.clip(0.3 + np.cumsum(steps - 0.02 * np.cumsum(steps, 0), 0), 0.02, 0.9)
    motion[:, 1] = 0
    motion[60:66, 1] = motion[60:66, 0] + motion[60:66, 2] * 12 / 33  # the lips meet
    return motion.clip(0, 1).astype(np.float32)


@pytest.fixture
def offsets() -> np.ndarray:
    offsets = np.zeros((len(CHANNELS), 20, 3), np.float32)
    offsets[:, lips.UPPER, 2] = OPENING
    return offsets


def apply(motion, offsets, expression=None, **changed) -> np.ndarray:
    before = motion.copy()
    result = tweaks.apply(
        Tweaks(**changed), CHANNELS, 24.0, motion, np.zeros_like(motion) if expression is None else expression, offsets
    )
    np.testing.assert_array_equal(motion, before)
    return result


def changed_channels(one, two) -> set[str]:
    return {name for k, name in enumerate(CHANNELS) if np.abs(one[:, k] - two[:, k]).max() > 1e-6}


def test_defaults_change_nothing(motion, offsets):
    assert apply(motion, offsets) is motion


@pytest.mark.parametrize(
    ("region", "channels"),
    [
        ("jaw", {"jawOpen", "mouthClose"}),
        ("lips", {"mouthFunnel", "mouthClose", "mouthSmileLeft", "mouthFrownRight"}),
        ("cheeks", {"cheekPuff"}),
        ("brows", {"browInnerUp"}),
        ("lids", {"eyeBlinkLeft"}),
    ],
)
def test_a_region_is_scaled_and_no_other(motion, offsets, region, channels):
    result = apply(motion, offsets, **{region: 0.5})
    assert changed_channels(result, motion) == channels
    for name in channels - {"mouthClose"}:  # that one keeps the lips together
        k = CHANNELS.index(name)
        np.testing.assert_allclose(result[:, k], motion[:, k] / 2, atol=1e-6)
    assert all(tweaks.region(name) == region for name in channels - {"mouthClose"})


def test_every_arkit_channel_but_the_gaze_has_a_region():
    from server.arkit import CHANNELS as ARKIT

    assert {name for name in ARKIT if not tweaks.region(name)} == {name for name in ARKIT if "eyeLook" in name}
    assert {tweaks.region(name) for name in ARKIT} == {"jaw", "lips", "cheeks", "brows", "lids", ""}
    assert set(ARKIT) >= tweaks.ADDED_CHANNELS


@pytest.mark.parametrize(
    "change",
    [
        {"jaw": 2.0},
        {"jaw": 0.3},
        {"lips": 1.8},
        {"lips": 0.2},
        {"smoothing": 3.0},
        {"jaw": 1.5, "smoothing": 2.0, "closure": 0.5},
    ],
)
def test_lips_that_touched_still_touch(motion, offsets, change):
    opening = np.array(OPENING)
    assert np.abs(motion[60:66] @ opening).max() < 1e-4
    assert np.abs(apply(motion, offsets, **change)[60:66] @ opening).max() < 0.3


def test_lips_that_are_pressed_together_stay_so(motion, offsets):
    motion[60:66, 1] += 0.05
    assert changed_channels(motion, apply(motion, offsets, brows=0.5)) == {"browInnerUp"}
    pressed = (apply(motion, offsets, lips=1.5) @ np.array(OPENING))[60:66]
    assert (pressed < 0.1).all() and (pressed > -0.05 * 33 - 0.1).all(), "no further than in the prediction"


def test_lips_that_nearly_touch_do_not_count_as_touching(motion, offsets):
    opening = np.array(OPENING)
    motion[100:104, :3] = 0.2, 0.2 + 0.1 * 12 / 33 - 1.2 / 33, 0.1  # 1.2 mm apart
    assert (motion @ opening)[100:104] == pytest.approx(1.2, abs=1e-3)
    assert (apply(motion, offsets, jaw=2.0, lips=2.0) @ opening)[100:104] == pytest.approx(2.4, abs=0.1)


def test_lip_closure_presses_near_lips_and_leaves_open_mouths(motion, offsets):
    opening = np.array(OPENING)
    motion[100:104, 1] = motion[100:104, 0] + motion[100:104, 2] * 12 / 33 - 1.5 / 33  # 1.5 mm apart
    before = motion @ opening
    half, full = (apply(motion, offsets, closure=closure) @ opening for closure in (0.5, 1.0))
    assert before[100:104] == pytest.approx(1.5, abs=1e-3)
    assert (half[100:104] < 1.0).all() and (full[100:104] < 0.3).all()
    wide = before > 12
    assert wide.any() and np.abs(full - before)[wide].max() < 1e-2
    assert (np.diff(full[np.argsort(before)]) > -1e-3).all(), "the order of apertures stays"


def test_closures_need_known_lips(motion):
    result = apply(motion, np.zeros((len(CHANNELS), 0, 3), np.float32), jaw=2.0, closure=1.0)
    assert changed_channels(result, motion) == {"jawOpen", "mouthClose"}


@pytest.mark.parametrize(
    ("smile", "name", "other"),
    [(0.3, "mouthSmileLeft", "mouthFrownRight"), (-0.3, "mouthFrownRight", "mouthSmileLeft")],
)
def test_smile_and_frown(motion, offsets, smile, name, other):
    result = apply(motion, offsets, smile=smile)
    assert changed_channels(result, motion) == {name}
    added = (result - motion)[:, CHANNELS.index(name)]
    free = motion[:, CHANNELS.index(name)] < 0.65
    np.testing.assert_allclose(added[8:-8][free[8:-8]], 0.3, atol=1e-5)
    assert added[0] == added[-1] == 0, "it comes and goes softly"


def test_emotion_scales_what_emotion_adds(motion, offsets):
    expression = np.zeros_like(motion)
    expression[:, 4] = motion[:, 4] / 2
    for strength, factor in ((0.0, 0.5), (0.5, 0.75), (1.2, 1.1)):
        result = apply(motion, offsets, expression, emotion=strength)
        assert changed_channels(result, motion) == {"browInnerUp"}
        np.testing.assert_allclose(result[:, 4], (motion[:, 4] * factor).clip(0, 1), atol=1e-6)


def test_smoothing_reduces_changes_and_keeps_the_mean(motion, offsets):
    result = apply(motion, offsets, smoothing=2.0)
    k = CHANNELS.index("browInnerUp")
    assert np.abs(np.diff(result[:, k])).mean() < 0.5 * np.abs(np.diff(motion[:, k])).mean()
    assert result[:, k].mean() == pytest.approx(motion[:, k].mean(), abs=0.01)
    still = np.full_like(motion, 0.4)
    np.testing.assert_allclose(apply(still, 0 * offsets, smoothing=5.0), still, atol=1e-6)


def test_values_stay_within_the_range_of_the_prediction(motion, offsets):
    motion[20, 4], motion[30, 4] = -0.4, 1.3
    result = apply(motion, offsets, jaw=3.0, lips=3.0, brows=3.0)
    assert result[:, 4].min() == pytest.approx(-0.4) and result[:, 4].max() == pytest.approx(1.3)
    others = np.delete(result, 4, axis=1)
    assert others.min() >= 0 and others.max() <= 1


def test_muted_channels_are_0(motion, offsets):
    result = apply(motion, offsets, muted=frozenset({"jawOpen", "eyeLookInLeft", "unknown"}))
    assert not result[:, 0].any() and not result[:, 8].any()
    assert changed_channels(result, motion) == {"jawOpen", "eyeLookInLeft"}
