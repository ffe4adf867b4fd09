"""Few keys instead of one a frame: within the bound, exact where it matters. test_fcurves.py asks Blender."""

import numpy as np
import pytest

from lsf_blender_addon.animation import key_reduction
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.prediction import lips

FRAMES = 240
JAW, CLOSE, BROW = range(3)


@pytest.fixture
def motion() -> np.ndarray:
    """(240, 3): a jaw at the rate of syllables, a mouthClose that meets it three times, a brow that rises once."""
    t = np.arange(FRAMES) / 24
    jaw = 0.3 + 0.25 * np.sin(2 * np.pi * 1.2 * t) * np.sin(2 * np.pi * 0.4 * t + 1)
    close = jaw * sum(np.exp(-np.square((t - at) / 0.06)) for at in (2.0, 5.0, 7.5))
    return np.stack([jaw, close, 0.4 * np.exp(-np.square(t - 4))], 1).astype(np.float32)


@pytest.fixture
def lip_offsets() -> np.ndarray:
    """(3, 20, 3): jaw and mouthClose move the lower lip by 30 mm, and cancel out."""
    offsets = np.zeros((3, 20, 3), np.float32)
    offsets[JAW, lips.LOWER, 2], offsets[CLOSE, lips.LOWER, 2] = -30, 30
    return offsets


BOUND = ErrorBound()


def reduced(motion, lip_offsets, bound=BOUND, pinned=None) -> key_reduction.ReducedKeys:
    return key_reduction.reduce_keys(
        motion, lip_offsets, bound, 100, np.zeros(motion.T.shape, bool) if pinned is None else pinned
    )


def errors(result, motion) -> np.ndarray:
    return np.stack([keys.evaluate(100 + np.arange(len(motion))) for keys in result.keys], 1) - motion


def count(result) -> int:
    return sum(len(keys.frames) for keys in result.keys)


@pytest.mark.parametrize("bound", [ErrorBound(), ErrorBound(0.001, 0.02), ErrorBound(0.1, 2.0)])
def test_within_both_bounds_as_reported(motion, lip_offsets, bound):
    result = reduced(motion, lip_offsets, bound)
    error = errors(result, motion)
    on_lips = np.linalg.norm(np.tensordot(error, lip_offsets, 1), axis=2)
    assert np.abs(error).max() <= bound.value and on_lips.max() <= bound.millimetres
    assert result.value_error == pytest.approx(np.abs(error).max(), abs=1e-5)
    assert result.lip_error == pytest.approx(on_lips.max(), abs=1e-3)


def test_far_fewer_keys(motion, lip_offsets):
    assert count(reduced(motion, lip_offsets)) < motion.size / 4
    assert count(reduced(motion, lip_offsets, ErrorBound(0.1, 2.0))) < count(reduced(motion, lip_offsets)) / 1.5


def test_a_channel_that_moves_the_lips_is_held_closer(motion, lip_offsets):
    twin = np.stack([motion[:, JAW], motion[:, JAW]], 1)
    offsets = np.stack([lip_offsets[JAW], np.zeros((20, 3))])
    on_lips, elsewhere = reduced(twin, offsets, ErrorBound(0.1, 0.2)).keys
    assert len(on_lips.frames) > len(elsewhere.frames)


def test_errors_that_add_up_on_the_lips(motion):
    """Ten channels that each keep their share of the bound together do not."""
    many = np.repeat(motion[:, :1], 10, axis=1)
    offsets = np.zeros((10, 20, 3), np.float32)
    offsets[:, lips.LOWER, 2] = -10
    error = errors(reduced(many, offsets), many)
    assert np.abs(error.sum(1) * 10).max() <= 0.2


def test_extremes_are_exact_and_flat(motion, lip_offsets):
    result = reduced(motion, lip_offsets)
    jaw = motion[:, JAW]
    around = np.lib.stride_tricks.sliding_window_view(jaw, 9)
    tops = [
        (JAW, frame)
        for frame in range(4, FRAMES - 4)
        if jaw[frame] in (around[frame - 4].max(), around[frame - 4].min()) and np.ptp(around[frame - 4]) > 0.05
    ]
    assert len(tops) > 10
    for k, frame in [*tops, (BROW, int(np.argmax(motion[:, BROW])))]:
        keys = result.keys[k]
        (at,) = np.flatnonzero(keys.frames == 100 + frame)
        assert keys.values[at] == motion[frame, k] and keys.slopes[at] == 0


def test_closures_are_exact(motion, lip_offsets):
    result = reduced(motion, lip_offsets, ErrorBound(0.1, 2.0))
    aperture = motion @ lips.opening(lip_offsets)
    made = (motion + errors(result, motion)) @ lips.opening(lip_offsets)
    for at in (48, 120, 180):
        frame = at - 3 + int(np.argmin(aperture[at - 3 : at + 4]))
        assert aperture[frame] < lips.CONTACT_APERTURE and made[frame] == pytest.approx(aperture[frame], abs=1e-4)
        assert all(100 + frame in result.keys[k].frames for k in (JAW, CLOSE))


@pytest.mark.parametrize("factor", [1, 10])
def test_lips_that_are_shut_stay_shut_at_any_bound(motion, lip_offsets, factor):
    motion[60:70, CLOSE] = motion[60:70, JAW]
    opening = lips.opening(lip_offsets)
    result = reduced(motion, lip_offsets, ErrorBound(0.01 * factor, 0.2 * factor))
    shut = motion @ opening < lips.CONTACT_APERTURE
    assert shut[60:70].all() and np.abs(errors(result, motion) @ opening)[shut].max() < 0.1


def test_pinned_frames_get_a_key(motion, lip_offsets):
    pinned = np.zeros(motion.T.shape, bool)
    pinned[BROW, 7] = True
    assert 107 in reduced(motion, lip_offsets, pinned=pinned).keys[BROW].frames
    assert 107 not in reduced(motion, lip_offsets).keys[BROW].frames


def test_the_ends_stay(motion, lip_offsets):
    for keys, curve in zip(reduced(motion, lip_offsets).keys, motion.T, strict=True):
        assert (keys.frames[0], keys.frames[-1]) == (100, 339)
        assert (keys.values[0], keys.values[-1]) == (curve[0], curve[-1])


def test_extremes_of_plateaus_and_ripples():
    curve = np.array([[0, 0, 1, 1, 1, 0.4, 0.41, 0.4, 0, 0.5, 0.5]], np.float32)
    assert np.flatnonzero(key_reduction.extremes(curve, np.array([0.05], np.float32))).tolist() == [2, 4, 8]
    assert np.flatnonzero(key_reduction.extremes(curve, np.array([0.005], np.float32))).tolist() == [2, 4, 5, 6, 8]
    assert not key_reduction.extremes(np.zeros((2, 9), np.float32), np.array([0.1, 0], np.float32)).any()
    ramp = np.linspace(0, 1, 9, dtype=np.float32)[None]
    assert not key_reduction.extremes(ramp, np.array([0.1], np.float32)).any()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_very_short_lines(motion, lip_offsets, frames):
    result = reduced(motion[:frames], lip_offsets)
    if frames < 3:  # a key on each frame
        np.testing.assert_array_equal([keys.values for keys in result.keys], motion[:frames].T)
    else:
        np.testing.assert_allclose(errors(result, motion[:frames]), 0, atol=0.01)
    left, right = result.keys[0].handles()
    assert left.shape == right.shape == (len(result.keys[0].frames), 2) and (left[:, 0] < right[:, 0]).all()


def test_noise_needs_a_key_on_every_frame():
    noise = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    result = reduced(noise, np.zeros((2, 0, 3), np.float32), ErrorBound(1e-5, 1))
    np.testing.assert_allclose(errors(result, noise), 0, atol=2e-5)


def test_a_still_channel_needs_two_keys():
    result = reduced(np.full((90, 1), 0.3, np.float32), np.zeros((1, 0, 3), np.float32))
    assert count(result) == 2 and result.value_error < 1e-6


def test_handles_lie_on_one_line_a_third_of_the_way(motion, lip_offsets):
    keys = reduced(motion, lip_offsets).keys[JAW]
    left, right = keys.handles()
    np.testing.assert_allclose(right[:-1, 0] - keys.frames[:-1], np.diff(keys.frames) / 3)
    np.testing.assert_allclose(keys.frames[1:] - left[1:, 0], np.diff(keys.frames) / 3)
    np.testing.assert_allclose((right[:, 1] - keys.values) / (right[:, 0] - keys.frames), keys.slopes, atol=1e-9)
    np.testing.assert_allclose((keys.values - left[:, 1]) / (keys.frames - left[:, 0]), keys.slopes, atol=1e-9)


def test_slopes_that_are_given_at_the_ends(motion, lip_offsets):
    """A curve that goes on outside keeps its direction there, within the bound inside."""
    slopes = np.array([[0.03, np.nan], [np.nan, -0.02], [0.01, 0.01]])
    result = key_reduction.reduce_keys(motion, lip_offsets, BOUND, 100, np.zeros(motion.T.shape, bool), slopes)
    made = np.array([[keys.slopes[0], keys.slopes[-1]] for keys in result.keys])
    np.testing.assert_allclose(made[~np.isnan(slopes)], slopes[~np.isnan(slopes)], atol=1e-6)
    assert np.abs(errors(result, motion)).max() <= BOUND.value
    assert result.value_error == pytest.approx(np.abs(errors(result, motion)).max(), abs=1e-5)


def test_a_curve_that_is_split_at_any_frame_stays_the_same():
    """Value and slope at a frame, and the slopes of the keys around it, give the same cubic on both sides."""
    keys = key_reduction.Keys(np.array([10.0, 20, 32]), np.array([0.1, 0.9, 0.3]), np.array([0.02, -0.05, 0.1]))
    frames = np.linspace(5, 40, 200)
    for frame in (12.0, 15.5, 20.0, 31.0):
        at = np.array([frame])
        new = key_reduction.Keys(at, keys.evaluate(at), np.array([keys.slope(frame)]))
        split = keys.only(keys.frames != frame).joined(new)
        np.testing.assert_allclose(split.evaluate(frames), keys.evaluate(frames), atol=1e-9)
    assert keys.slope(9.0) == keys.slope(33.0) == 0


def test_a_key_on_every_frame_is_level_where_a_curve_rests_at_its_ends():
    motion = np.array([[0, 0.2], [0.5, 0.3], [0, 0]], np.float32)
    one, two = key_reduction.key_every_frame(motion, 7).keys
    assert one.frames.tolist() == [7, 8, 9] and one.automatic.tolist() == [False, True, False]
    assert two.automatic.tolist() == [True, True, False]
