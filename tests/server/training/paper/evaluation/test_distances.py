"""The paper's metrics against numbers worked by hand, on two vertices and three frames."""

import math

import numpy as np
import pytest
import torch

from server.training.evaluation.metrics import vertex_scores
from server.training.paper.evaluation.distances import RunningDeviation, measure, random_pairs
from server.training.paper.evaluation.regions import Regions

NEUTRAL = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
BOTH, SECOND = np.array([0, 1]), np.array([1])
# Offsets of the first and of the second vertex, frame by frame.
TRUTH = torch.tensor([[[0.0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 1, 0]], [[0, 0, 2], [0, 2, 0]]])
FIRST = TRUTH + torch.tensor([[[3.0, 4, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 2]], [[0, 0, 1], [0, 0, 0]]])
SECOND_TAKE = TRUTH + torch.tensor([[[-3.0, -4, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]]])


def vertices(motion):
    return NEUTRAL + motion.reshape(-1, 2, 3)


def distances(takes=(FIRST, SECOND_TAKE), samples=2, pairs=((0, 1),), regions=None, **options):
    stacked = torch.stack(list(takes)).reshape(len(takes), 3, 6)
    regions = Regions(BOTH, SECOND) if regions is None else regions
    return measure(vertices, NEUTRAL, TRUTH.reshape(3, 6), stacked, samples, pairs, regions, **options)


@pytest.mark.parametrize("block_values", [1, 18 * 2, 10**9], ids=["a frame", "two frames", "all"])
def test_every_metric_by_hand_in_blocks_of_any_size(block_values):
    found = distances(block_values=block_values)
    assert found.frames == 3
    # Distances of the first take: frame 0: 5 and 0, frame 1: 0 and 2, frame 2: 1 and 0.
    np.testing.assert_allclose(found.mve, [(2.5 + 1 + 0.5) / 3, (2.5 + 0 + 0.5) / 3], rtol=1e-6)
    np.testing.assert_allclose(found.lve, [(25 + 4 + 1) / 3, (25 + 0 + 1) / 3], rtol=1e-6)
    # Squared offsets of the second vertex: truth 0, 1, 4; first take 0, 1 + 4, 4; second take as the truth.
    truth, first = math.sqrt(26) / 3, math.sqrt(14 / 3)
    np.testing.assert_allclose(found.fdd, [truth - first, 0], atol=1e-6)
    assert found.fdd[0] < 0, "the prediction moves more than the truth"
    # Errors of the mean of both: frame 0: none, frame 1: (0, 0, 1) of the second vertex, frame 2: 1 of the first.
    assert found.mee == pytest.approx((0 + 1 + 1) / 3)
    # Distances between both: frame 0: 10 and 0, frame 1: 0 and 2, frame 2: none.
    assert found.diversity == pytest.approx((5 + 1 + 0) / 3)


def test_takes_that_are_no_samples_do_not_enter_mean_and_diversity():
    found = distances((FIRST, SECOND_TAKE, TRUTH))
    np.testing.assert_allclose([found.mve[2], found.lve[2], found.fdd[2]], 0)
    assert found.mee == pytest.approx(2 / 3)


def test_what_lacks_a_region_or_samples_is_not_measured():
    found = distances(regions=Regions(None, SECOND))
    assert found.lve is None and found.mee is None and found.fdd is not None and found.diversity is not None
    found = distances(regions=Regions(SECOND, None))
    assert found.fdd is None
    np.testing.assert_allclose(found.lve, [4 / 3, 0])
    found = distances((TRUTH,), samples=0, pairs=())
    assert found.mee is None and found.diversity is None and found.mve.tolist() == [0]


def test_offsets_are_those_from_the_neutral_face():
    shifted = measure(vertices, NEUTRAL + 1, TRUTH.reshape(3, 6), FIRST.reshape(1, 3, 6), 1, (), Regions(None, SECOND))
    # From (1, 1, 1) more: squared offsets of the truth 3, 2 and 3, of the first take 3, 1 + 0 + 1 and 3.
    assert shifted.fdd[0] == pytest.approx(0, abs=1e-6)
    assert distances().fdd[0] != pytest.approx(0, abs=0.1)


def test_the_deviation_of_blocks_is_that_of_all():
    values = torch.from_numpy(1e3 + np.random.default_rng(0).standard_normal((2, 23, 4)))
    running = RunningDeviation()
    for start, end in ((0, 1), (1, 9), (9, 23)):
        running.add(values[:, start:end])
    torch.testing.assert_close(running.deviation(), values.std(1, correction=0), rtol=1e-9, atol=0)


def test_it_agrees_with_the_metrics_of_the_default_model_which_are_another_implementation():
    rng = np.random.default_rng(0)
    truth, takes, basis = rng.standard_normal((9, 4)), rng.standard_normal((5, 9, 4)), rng.standard_normal((4, 30, 3))
    lips, upper = np.arange(3, 11), np.arange(15, 30)
    others = vertex_scores(truth, takes, basis, lips, upper)  # its first take is the deterministic one
    found = measure(
        lambda motion: torch.tensordot(motion, torch.from_numpy(basis), 1),
        torch.zeros(30, 3, dtype=torch.float64),
        torch.from_numpy(truth),
        torch.from_numpy(takes[[1, 2, 3, 4, 0]].copy()),
        4,
        (),
        Regions(lips, upper),
        block_values=2 * 6 * 90,
    )
    assert found.mve[4] == pytest.approx(others["MVE"])
    assert found.lve is not None and found.lve[4] == pytest.approx(others["LVE"])
    assert found.fdd is not None and found.fdd[4] == pytest.approx(others["FDD_signed"])
    assert found.mee == pytest.approx(others["MEE"]) and min(found.lve[:4]) == pytest.approx(others["CE"])


def test_pairs_are_five_of_ten_different_samples():
    for seed in range(20):
        pairs = random_pairs(10, 5, np.random.default_rng(seed))
        assert sorted(number for pair in pairs for number in pair) == list(range(10))
    assert len({tuple(random_pairs(10, 5, np.random.default_rng(seed))) for seed in range(5)}) == 5
    assert len(random_pairs(3, 5, np.random.default_rng(0))) == 1
    assert random_pairs(0, 5, np.random.default_rng(0)) == []


def test_memory_is_bounded_by_the_block_not_by_the_clip():
    largest = 0

    def watched(motion):
        nonlocal largest
        largest = max(largest, len(motion))
        return motion[:, None, :3].expand(-1, 5023, 3)

    rng = torch.Generator().manual_seed(0)
    truth, takes = torch.randn(400, 53, generator=rng), torch.randn(12, 400, 53, generator=rng)
    measure(watched, torch.zeros(5023, 3), truth, takes, 10, [(0, 1)], Regions(), block_values=13 * 5023 * 3 * 7)
    assert largest == 7
