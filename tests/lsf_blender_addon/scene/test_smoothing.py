"""Transitions and averages over time."""

import numpy as np
import pytest

from lsf_blender_addon.scene.smoothing import hann_average, smoothstep


def test_smoothstep_rises_with_level_ends():
    t = np.linspace(0, 1, 101)
    rise = smoothstep(t)
    assert (rise[0], rise[50], rise[-1]) == pytest.approx((0, 0.5, 1)) and (np.diff(rise) > 0).all()
    assert rise[1] < 1e-3 and rise[-2] > 1 - 1e-3
    assert smoothstep(t.astype(np.float32)).dtype == np.float32


def test_an_average_keeps_levels_and_spreads_a_step_over_its_window():
    step = np.repeat([0.0, 1.0], 20)[:, None]
    average = hann_average(step, 10)
    assert average.shape == step.shape and (np.diff(average[:, 0]) >= 0).all()
    assert not average[:14].any() and average[26:, 0] == pytest.approx(1)
    np.testing.assert_allclose(hann_average(np.full((9, 2), 0.3), 6), 0.3)


def test_a_window_of_one_frame_changes_nothing():
    step = np.repeat([0.0, 1.0], 5)
    assert hann_average(step, 1.0) is step
