"""A new take for a part of a line."""

from dataclasses import replace

import numpy as np
import pytest

from lsf_blender_addon.prediction import blend
from lsf_blender_addon.prediction.store import Prediction


def line(value, emotions=("glad",)) -> Prediction:
    """100 frames."""
    motion = np.full((100, 2), value, np.float32)
    return Prediction(
        25.0,
        ("jawOpen", "wink"),
        motion,
        motion / 2,
        emotions,
        np.full((100, len(emotions)), value, np.float32),
        0.0,
        3,
        np.zeros((2, 0, 3), np.float32),
    )


@pytest.mark.parametrize(
    ("span", "untouched"),
    [((80, 120), [(50, 79), (121, 149)]), ((0, 100), [(101, 149)]), ((100, 200), [(50, 99)]), ((0, 500), [])],
)
def test_weights_are_1_inside_0_outside_and_smooth_between(span, untouched):
    weights = blend.new_take_weights(line(0), 50, span)
    frame = np.arange(50, 150)
    for first, last in untouched:
        assert not weights[(frame >= first) & (frame <= last)].any()
    middle = (frame >= span[0] + 5) & (frame <= span[1] - 5)
    assert (weights[middle] == 1).all() and np.abs(np.diff(weights)).max(initial=0) < 0.35
    assert weights[0] == (span[0] <= 50) and weights[-1] == (span[1] >= 149)


def test_blended():
    result = blend.blended(line(0), line(1), blend.new_take_weights(line(0), 50, (80, 120)))
    assert result.motion[29, 0] == 0 and result.motion[50, 0] == 1 and result.expression[50, 0] == 0.5
    assert 0 < result.motion[31, 0] < 1 and result.emotion[50, 0] == 1 and result.emotion[20, 0] == 0
    assert blend.blended(line(0, ()), line(1), blend.new_take_weights(line(0), 50, (80, 120))).emotion.all()


def test_blinks_and_gaze_stay_those_of_the_earlier_one():
    eyes = {"blinks": np.ones((3, 100), np.float32), "gaze": np.full((3, 100, 2), 4, np.float32)}
    others = {name: 0 * values for name, values in eyes.items()}
    weights = blend.new_take_weights(line(0), 50, (80, 120))
    result = blend.blended(replace(line(0), **eyes), replace(line(1), **others), weights)
    assert result.blinks is eyes["blinks"] and result.gaze is eyes["gaze"]


def test_is_compatible():
    one = line(0)
    assert blend.is_compatible(one, line(1))
    assert not blend.is_compatible(one, replace(line(1), fps=24.0))
    assert not blend.is_compatible(one, replace(line(1), channels=("jawOpen", "smirk")))
    assert not blend.is_compatible(one, replace(line(1), motion=np.zeros((99, 2), np.float32)))


def test_a_line_of_two_models_names_both():
    first, second = replace(line(0.2), model="a 1"), replace(line(0.6), model="b 2")
    weights = np.linspace(0, 1, len(first.motion)).astype(np.float32)
    both = blend.blended(first, second, weights)
    assert both.model == "a 1 + b 2"
    assert blend.blended(both, second, weights).model == "a 1 + b 2", "and each once"
    assert blend.blended(replace(first, model=""), second, weights).model == "b 2"
