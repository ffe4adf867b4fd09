"""A new take for a part of a line."""

from dataclasses import replace

import numpy as np
import pytest

from lsf_blender_addon.prediction import blend
from lsf_blender_addon.prediction.store import Prediction


def line(value, emotions=("glad",)) -> Prediction:
    """100 frames from frame 50 on."""
    motion = np.full((100, 2), value, np.float32)
    return Prediction(
        "line",
        "Scene",
        25.0,
        50,
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
def test_all_inside_nothing_outside_soft_between(span, untouched):
    share = blend.share(line(0), span)
    frame = np.arange(50, 150)
    for first, last in untouched:
        assert not share[(frame >= first) & (frame <= last)].any()
    middle = (frame >= span[0] + 5) & (frame <= span[1] - 5)
    assert (share[middle] == 1).all() and np.abs(np.diff(share)).max(initial=0) < 0.35
    assert share[0] == (span[0] <= 50) and share[-1] == (span[1] >= 149)


def test_mixed():
    mixed = blend.mixed(line(0), line(1), blend.share(line(0), (80, 120)))
    assert mixed.motion[29, 0] == 0 and mixed.motion[50, 0] == 1 and mixed.expression[50, 0] == 0.5
    assert 0 < mixed.motion[31, 0] < 1 and mixed.emotion[50, 0] == 1 and mixed.emotion[20, 0] == 0
    assert blend.mixed(line(0, ()), line(1), blend.share(line(0), (80, 120))).emotion.all()


def test_fits():
    one = line(0)
    assert blend.fits(one, replace(line(1), first_frame=900))
    assert not blend.fits(one, replace(line(1), fps=24.0))
    assert not blend.fits(one, replace(line(1), channels=("jawOpen", "smirk")))
    assert not blend.fits(one, replace(line(1), motion=np.zeros((99, 2), np.float32)))
