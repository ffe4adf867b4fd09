"""The factorised pair attention is the literal one; what breaks that, and what both cost."""

import math

import pytest
import torch

from server.model import LSFConfig
from server.training.paper import pair_study


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize("config", [LSFConfig.paper(), LSFConfig.released()], ids=["paper", "released"])
def test_outputs_and_gradients_are_those_of_the_cartesian_product(config, clips):
    exact = pair_study.compare(20, torch.float64, clips=clips, config=config)
    assert exact.output_relative < 1e-13 and exact.gradient_relative < 1e-12
    single = pair_study.compare(20, torch.float32, clips=clips, config=config)
    assert single.output_relative < 1e-5 and single.gradient_relative < 1e-4


def test_the_comparison_sees_a_wrong_weight():
    attention, inputs = pair_study.make_case(12, torch.float64)
    truth = pair_study.with_gradients(pair_study.literal, attention, inputs)
    with torch.no_grad():
        attention.motion_key.weight[0, 0] += 1e-3
    changed = pair_study.difference(pair_study.with_gradients(pair_study.factorised, attention, inputs), truth)
    assert changed.output_relative > 1e-7 and changed.gradient_relative > 1e-7


def test_parts_give_the_same_gradients():
    attention, inputs = pair_study.make_case(20, torch.float64, clips=2)
    whole = pair_study.with_gradients(pair_study.literal, attention, inputs)
    parts = pair_study.with_gradients(lambda a, i: pair_study.literal(a, i, 3), attention, inputs)
    assert pair_study.difference(parts, whole).gradient_relative < 1e-12


def test_each_condition_is_needed():
    differences = pair_study.broken_conditions(25)
    assert len(differences) == 4 and min(differences.values()) > 0.05


def test_rounding_is_no_worse_than_that_of_the_pairs():
    own, pairs = pair_study.rounding_errors(100)
    assert own.output_relative < 3 * pairs.output_relative and own.gradient_relative < 3 * pairs.gradient_relative


def test_costs_that_are_too_large_are_extrapolated_from_the_last_measured_one(monkeypatch):
    monkeypatch.setattr(pair_study, "measure", lambda kind, frames: pair_study.Cost(frames**2 / 1e4, frames**2, True))
    found = pair_study.costs("literal", most_megabytes=500, most_seconds=1e9)
    assert [cost.measured for cost in found] == [True, True, False, False]
    assert [cost.seconds for cost in found] == pytest.approx([0.25, 6.25, 225, 22500])
    assert pair_study.costs("parts", most_megabytes=0, most_seconds=5)[1].measured is False


def test_a_measurement_runs_in_a_process_of_its_own():
    cost = pair_study.measure("literal", 100)
    assert cost.measured and cost.seconds > 0 and (math.isnan(cost.megabytes) or cost.megabytes > 20)
