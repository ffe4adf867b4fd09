"""Figures with their spread."""

import numpy as np
import pytest

from server.training.evaluation.spread import Spread, formatted


def test_people_have_a_range_and_clips_have_quartiles():
    values = [0.0, 0.1, 0.2, 0.3, 1.0]
    assert Spread.over_people(values) == Spread.of(values, people=True) == Spread(0.2, 0.0, 1.0, 5)
    assert Spread.over_clips(values) == Spread.of(values, people=False) == Spread(0.2, 0.1, 0.3, 5)
    assert Spread.mean_over_clips(values) == Spread(pytest.approx(0.32), 0.1, 0.3, 5)


def test_outcomes_are_pooled_and_the_range_is_that_of_the_groups():
    spread = Spread.of_outcomes({"a": [True] * 3, "b": [True, False], "nothing": []})
    assert spread == Spread(0.8, 0.5, 1.0, 2)


def test_values_that_are_not_numbers_do_not_count_and_nothing_is_an_error():
    assert Spread.over_people([float("nan"), 1.0, 3.0]) == Spread(2.0, 1.0, 3.0, 2)
    with pytest.raises(ValueError, match="nothing"):
        Spread.over_clips([float("nan")])
    with pytest.raises(ValueError, match="nothing"):
        Spread.of_outcomes({"a": []})


def test_the_text_says_value_spread_and_count():
    assert formatted(Spread(0.7891, 0.6246, 0.8726, 6)) == "0.789 (0.625 to 0.873, n 6)"
    assert formatted(np.float64(0.25)) == "0.25"
