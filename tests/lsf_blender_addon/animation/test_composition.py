"""Several lines in one timeline: eased ends, shared frames, and who gives way to whom. No Blender."""

import numpy as np
import pytest

from lsf_blender_addon.animation import composition
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.animation.line_curves import LineCurves, Rank

FPS, EASE = 24.0, 5
FRAMES = np.arange(0, 200)


def line(first: int, value: float = 0.5, frames: int = 40, names=("jawOpen",), **options) -> LineCurves:
    """A line that holds a value."""
    motion = np.full((frames, len(names)), value, np.float32)
    return LineCurves(tuple(names), motion, np.zeros((len(names), 0, 3), np.float32), FPS, first, **options)


def composed(*lines: LineCurves, window=(0, 199)) -> np.ndarray:
    """Values (F,) of jawOpen."""
    whole = composition.compose(lines, window)
    return whole.motion[:, whole.names.index("jawOpen")]


def test_a_line_rests_outside_of_its_window_and_eases_in_between():
    jaw = composed(line(50))
    assert not jaw[:46].any() and not jaw[94:].any() and (jaw[50:90] == 0.5).all()
    assert (np.diff(jaw[45:51]) > 0).all() and (np.diff(jaw[89:95]) < 0).all()
    np.testing.assert_allclose(jaw[45:51], jaw[94:88:-1], atol=1e-6)


def test_it_eases_from_its_first_value_and_to_its_last():
    values = np.linspace(0.2, 0.8, 40, dtype=np.float32)[:, None]
    jaw = composed(LineCurves(("jawOpen",), values, np.zeros((1, 0, 3), np.float32), FPS, 50))
    np.testing.assert_allclose(jaw[50:90], values[:, 0])
    assert 0 < jaw[46] < jaw[49] < 0.2 and 0.8 > jaw[90] > jaw[93] > 0


@pytest.mark.parametrize("window", [(0, 199), (48, 60), (50, 89), (95, 120), (40, 45)])
def test_any_window_shows_the_same(window):
    lines = line(50), line(80, 0.9), line(130, 0.3)
    first, last = window
    inside = composition.compose(lines, window)
    np.testing.assert_array_equal(
        inside.motion[:, 0] if inside.names else np.zeros(last - first + 1), composed(*lines)[first : last + 1]
    )
    assert inside.first_frame == first and len(inside.motion) == last - first + 1


def test_lines_that_overlap_share_the_frames_evenly_and_without_a_jump():
    jaw = composed(line(50, 0.2), line(70, 0.8))
    np.testing.assert_allclose(jaw[70:90], 0.5)
    np.testing.assert_allclose(jaw[50:65], 0.2, atol=1e-6)
    np.testing.assert_allclose(jaw[95:110], 0.8, atol=1e-6)
    assert np.abs(np.diff(jaw[50:110])).max() < 0.1
    np.testing.assert_allclose(composed(line(70, 0.8), line(50, 0.2)), jaw, atol=1e-6)


def test_lines_back_to_back_lead_over():
    jaw = composed(line(50, 0.2), line(90, 0.8))
    assert (np.diff(jaw[80:100]) >= -1e-6).all() and np.abs(np.diff(jaw[80:100])).max() < 0.2


def test_a_line_without_a_channel_shares_it_at_rest():
    whole = composition.compose([line(50, 0.6), line(50, 0.6, names=("browInnerUp",))], (0, 199))
    assert set(whole.names) == {"jawOpen", "browInnerUp"}
    np.testing.assert_allclose(whole.motion[60], 0.3)


@pytest.mark.parametrize(
    ("high", "low"), [(Rank.RECORDING, Rank.STRIP), (Rank.STRIP, Rank.STRIP_GONE), (Rank.RECORDING, Rank.STRIP_GONE)]
)
def test_a_line_gives_way_to_one_of_a_higher_rank(high, low):
    jaw = composed(line(70, 0.9, 20, rank=high), line(50, 0.2, 60, rank=low))
    np.testing.assert_allclose(jaw[70:90], 0.9, atol=1e-6)
    np.testing.assert_allclose(jaw[50:65], 0.2, atol=1e-6)
    np.testing.assert_allclose(jaw[95:110], 0.2, atol=1e-6)
    assert np.abs(np.diff(jaw[50:110])).max() < 0.3


def test_lines_of_the_same_rank_share_under_one_of_a_higher_rank():
    lines = line(50, 0.2), line(50, 0.8), line(60, 0.1, 10, rank=Rank.RECORDING)
    np.testing.assert_allclose(composed(*lines)[60:70], 0.1, atol=1e-6)
    np.testing.assert_allclose(composed(*lines)[80:90], 0.5, atol=1e-6)


def test_values_stay_between_those_of_the_lines():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, firsts = rng.random(4), rng.integers(20, 150, 4).tolist()
        ranks = rng.choice([*Rank], 4)
        jaw = composed(*(line(f, float(v), rank=r) for f, v, r in zip(firsts, values, ranks, strict=True)))
        assert jaw.min() >= 0 and jaw.max() <= values.max() + 1e-6


def test_the_ends_of_lines_inside_a_window_are_borders():
    whole = composition.compose([line(50), line(80)], (45, 124))
    assert whole.borders == (75, 94) and whole.goes_on == (False, False)
    assert composition.compose([line(50), line(80)], (45, 94)).goes_on == (False, True)
    assert composition.compose([line(50), line(80)], (75, 124)).goes_on == (True, False)


def test_the_tightest_bound_counts():
    bounds = ErrorBound(0.1, 2.0), ErrorBound(0.01, 0.2)
    assert composition.compose([line(50, bound=bound) for bound in bounds], (0, 199)).bound == bounds[1]
    assert composition.compose([line(50, bound=bounds[0]), line(150, bound=None)], (0, 199)).bound is None
    assert composition.compose([line(50, bound=bounds[0]), line(150, bound=None)], (0, 120)).bound == bounds[0]


def test_nothing_in_a_window():
    whole = composition.compose([], (10, 20))
    assert whole.names == [] and whole.motion.shape == (11, 0) and whole.lips.shape == (0, 0, 3)


def test_lips_come_from_the_lines_that_know_them():
    known = LineCurves(("jawOpen",), np.ones((9, 1), np.float32), np.ones((1, 20, 3), np.float32), FPS, 50)
    whole = composition.compose([line(52, names=("jawOpen", "browInnerUp")), known], (0, 99))
    assert whole.lips.shape == (2, 20, 3) and whole.lips[whole.names.index("jawOpen")].all()


def test_windows():
    assert composition.overlap((1, 10), (9, 20)) and not composition.overlap((1, 10), (10, 20))
    assert composition.merged([(30, 40), (1, 10), (11, 15), (5, 7), (17, 20)]) == [(1, 15), (17, 20), (30, 40)]
    assert composition.merged([]) == []
