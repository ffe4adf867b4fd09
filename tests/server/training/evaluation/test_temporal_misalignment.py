"""Mean temporal misalignment, on made-up lips."""

import numpy as np
import pytest

from server.training import FPS
from server.training.evaluation import temporal_misalignment
from server.training.evaluation.temporal_misalignment import Misalignment, extrema, match_extrema, prepare, warping_path


def syllables(seconds=4.0, delay=0.0):
    """Lips that open and close irregularly, later by `delay` seconds."""
    times = np.arange(round(seconds * FPS)) / FPS - delay
    return 0.01 + 0.004 * np.sin(2 * np.pi * 1.3 * times) + 0.003 * np.sin(2 * np.pi * 2.1 * times + 1)


def test_the_same_lips_in_other_units_are_not_misaligned():
    result = match_extrema(syllables(), 3 + 200 * syllables())
    assert result.matched == 1 and result.count >= 8
    assert result.milliseconds == pytest.approx(0, abs=1)


@pytest.mark.parametrize("delay", [-0.1, 0.03, 0.08])
def test_a_delay_is_measured_also_below_a_frame(delay):
    result = match_extrema(syllables(), syllables(delay=delay))
    assert result.matched >= 0.9
    assert result.milliseconds == pytest.approx(1e3 * abs(delay), abs=12)


def test_lips_that_do_not_move_match_nothing():
    result = match_extrema(syllables(), np.full(100, 0.01))
    assert result.matched == 0 and np.isnan(result.milliseconds)
    assert np.isnan(match_extrema(np.full(100, 0.01), syllables()).matched)


def test_an_opening_does_not_match_a_closure():
    assert match_extrema(syllables(), -syllables()).matched < 0.2


def test_a_missing_closure_lowers_the_share_and_not_the_time():
    times = np.arange(100) / FPS
    truth = np.interp(times, [0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4], [0, 1, 0, 1, 0, 1, 0, 0])
    mumbled = np.interp(times, [0, 0.5, 1.0, 2.0, 2.5, 3.0, 4], [0, 1, 0, 0, 1, 0, 0])
    full, less = match_extrema(truth, truth), match_extrema(truth, mumbled)
    assert full.matched == 1 and less.matched <= 0.8
    assert less.milliseconds < 40


def test_small_ripples_are_no_extrema():
    curve = syllables() + 1e-5 * np.random.default_rng(0).standard_normal(100)
    found, plain = extrema(prepare(curve)), extrema(prepare(syllables()))
    assert len(found.maxima) == len(plain.maxima) and len(found.minima) == len(plain.minima)


def test_the_path_is_the_cheapest_one(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(temporal_misalignment, "MAX_WARP", 1.0)
    a, b = rng.standard_normal(9), rng.standard_normal(7)
    cost = np.abs(temporal_misalignment.slopes(a)[:, None] - temporal_misalignment.slopes(b))
    best = {(0, 0): cost[0, 0]}
    for i in range(9):
        for j in range(7):
            before = [best[c] for c in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if c in best]
            best[i, j] = cost[i, j] + (min(before) if before else 0)
    path = warping_path(a, b)
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [8, 6]
    assert set(map(tuple, np.diff(path, axis=0).tolist())) <= {(0, 1), (1, 0), (1, 1)}
    assert sum(cost[i, j] for i, j in path) == pytest.approx(best[8, 6])


def test_the_path_stays_in_its_band():
    a, b = prepare(syllables()), prepare(syllables(delay=1.0))
    path = warping_path(a, b)
    assert np.abs(path[:, 0] - path[:, 1]).max() <= temporal_misalignment.MAX_WARP * temporal_misalignment.RATE


def test_the_summary_pools_extrema_and_keeps_the_spread_over_clips():
    results = [Misalignment([0.01] * 9, 10), Misalignment([0.11], 10)]
    report = temporal_misalignment.summary(results, people=True)
    assert report["mtm_ms"].value == pytest.approx(20) and report["matched"].value == 0.5
    assert (report["mtm_ms"].low, report["mtm_ms"].high) == pytest.approx((10, 110))
    assert (report["matched"].low, report["matched"].high) == pytest.approx((0.1, 0.9))
