"""Formulas that several packages share."""

import numpy as np

from server.numerics import smoothstep


def test_smoothstep_is_clipped_symmetric_and_flat_at_both_ends():
    x = np.linspace(-1, 2, 301)
    y = smoothstep(x)
    assert y.min() == 0 and y.max() == 1
    np.testing.assert_allclose(y + y[::-1], 1, atol=1e-12)
    assert smoothstep(np.array([1e-4]))[0] < 1e-7


def test_smoothstep_between_other_bounds_may_fall():
    np.testing.assert_allclose(smoothstep(np.array([2.0, 3.0, 4.0]), 2, 4), [0, 0.5, 1])
    np.testing.assert_allclose(smoothstep(np.array([2.0, 3.0, 4.0]), 4, 2), [1, 0.5, 0])
