"""Figures before a training: lines, memory by hand, and the command with a small model."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from server.model import LSFConfig
from server.training import plan
from server.training.paper.miniature import write_miniature
from server.training.paper.recipe import Recipe

from .paper.tiny import tiny


def test_a_line_is_fitted_with_its_error():
    line = plan.Line.fit([10, 20, 30], [1.5, 2.5, 3.5])
    assert (line.base, line.slope, line.error) == pytest.approx((0.5, 0.1, 0), abs=1e-12)
    assert line.total([10, 40]) == pytest.approx(6)
    noisy = plan.Line.fit([10, 10, 30, 30], [1, 2, 3, 4])  # 0.5 from the line each, 2 degrees of freedom, mean 2.5
    assert noisy.error == pytest.approx(np.sqrt(4 * 0.25 / 2) / 2.5)
    assert plan.Line.fit([10, 20], [1, 3]).base == 0, "no step takes less than nothing"
    assert plan.Line.fit([10, 10], [1, 3]).slope == pytest.approx(0.2)


def test_kept_bytes_are_those_that_the_gradients_need():
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    x = torch.randn(3, 4)
    with plan.kept_bytes(module) as count:
        y = module(x)
        assert count() == 4 * (3 * 4 + 3 * 8), "the input and the result of the ReLU, no weights"
    y.sum().backward()
    assert module[0].weight.grad is not None


def test_hours_become_clips_of_their_length():
    lengths = plan.lengths_of_hours(10, 25)
    assert (lengths.train.sum() + lengths.valid.sum()) / 25 == pytest.approx(10 * 3600 * 27 / 32, rel=1e-3)
    assert set(lengths.train / 25) == {2, 3, 4, 5, 6}


def test_memory_disk_and_time_are_those_of_the_sizes():
    config = tiny(LSFConfig.paper())
    few, many = ({"prior": x, "predictor": x} for x in (plan.lengths_of_hours(h, 25) for h in (0.1, 10)))
    found = plan.plan(config, Recipe.paper(), few, torch.device("cpu"), repeats=1)
    trained = found["trained"]
    assert trained["predictor"] > trained["prior"] > 0 and trained["predictor"] + trained["prior"] < found["parameters"]
    for stage, parts in found["memory"].items():
        assert parts["gradients"] == 4 * trained[stage] and parts["optimiser"] == 8 * trained[stage]
        assert parts["activations"] > 0 and parts["peak"] is None
    assert found["disk"]["checkpoint"] == found["memory"]["prior"]["weights"] >= 4 * found["parameters"]
    more = plan.plan(config, Recipe.paper(), many, torch.device("cpu"), repeats=1)
    times = more["time"]
    assert times["all"] == pytest.approx(times["features"] + times["prior"] + times["predictor"]) and times["prior"] > 0
    assert times["predictor"] == pytest.approx(201 * times["epochs"]["predictor"]["epoch"])
    assert more["disk"]["features"] == pytest.approx(100 * found["disk"]["features"], rel=0.05)
    assert more["memory"] == found["memory"], "the longest clips are as long"


@pytest.mark.parametrize("name", ["paper", "released"])
def test_the_command_tells_memory_and_days_without_the_encoders(tmp_path, monkeypatch, capsys, name):
    write_miniature(tmp_path / "data", clips=1)
    (tmp_path / "config.json").write_text(tiny(getattr(LSFConfig, name)()).to_json())
    arguments = ["--data", tmp_path / "data", "--config", tmp_path / "config.json", "--json", tmp_path / "plan.json"]
    arguments += ["--batch", 4, "--accumulate", 2, "--processes", 2, "--repeats", 1, "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["plan", *map(str, arguments)])
    assert plan.main() == 0
    printed = capsys.readouterr().out
    assert "2 processes" in printed and "at most 201 epochs" in printed and "all: at most" in printed
    assert json.loads((tmp_path / "plan.json").read_text())["clips"]["predictor"] == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hours", "-1"], "must be above 0"),
        (["--hours", "1", "--processes", "2"], "2 processes need at least as many clips a step"),
        (["--hours", "1", "--config", "none"], "--config is paper, released or a config.json"),
        (["--data", "/none"], 'There is no folder "/none"'),
        (["--hours", "1", "--json", "/"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_one_sentence_before_a_model_is_built(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["plan", *arguments])
    monkeypatch.setattr(plan, "LSF", None)
    assert plan.main() == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
