"""Rows of the ablation: what they differ in, that they run, and how their figures are put together."""

import dataclasses

import numpy as np
import pytest

from server.flame import load_flame
from server.model import LSFConfig
from server.training.paper import ablation, mead3d, toy_flame
from server.training.paper.evaluation.regions import Regions
from server.training.paper.miniature import write_miniature
from server.training.paper.small import small


def test_every_row_differs_from_the_paper_in_what_it_says():
    paper = dataclasses.asdict(ablation.ROWS["paper"].settings())
    assert paper == dataclasses.asdict(small(LSFConfig.paper()))
    for name, row in ablation.ROWS.items():
        own = dataclasses.asdict(row.settings())
        different = {field for field in own if own[field] != paper[field]}
        if row.base == "paper":
            assert different == set(row.config), name
        else:
            assert own == dataclasses.asdict(small(LSFConfig.released()))
    assert len({ablation.folder_of(ablation.Path("x"), name, 1) for name in ablation.ROWS}) == len(ablation.ROWS)


def test_small_sizes_change_nothing_else():
    sizes = (
        "width heads mlp identity_styles fusion_blocks codes code_size prior_width prior_heads prior_mlp prior_layers"
    )
    layers = {"motion_backbone", "motion_layers", "emotion_backbone", "emotion_layers"}
    for config in (LSFConfig.paper(), LSFConfig.released()):
        own, other = dataclasses.asdict(small(config)), dataclasses.asdict(config)
        assert {field for field in own if own[field] != other[field]} <= set(sizes.split()) | layers
        assert small(config).motion_backbone.spec_augment == config.motion_backbone.spec_augment


def test_spread_by_hand():
    assert ablation.spread([1.0, 2.0, 3.0]) == "2.00 ± 1.00"
    assert ablation.spread([0.011, 0.013]) == "0.0120 ± 0.0014"
    assert ablation.spread([123.0]) == "123" and ablation.spread([0.0]) == "0.00"
    assert ablation.spread([-5.0, 15.0], "+.0f") == "+5 ± 14"


def test_the_table_compares_seed_by_seed():
    figures = dict.fromkeys(ablation.METRICS, 1.0)
    results = {
        "paper": {"1": {**figures, "LVE": 10.0}, "2": {**figures, "LVE": 20.0}},
        "released": {"1": {**figures, "LVE": 11.0}, "2": {**figures, "LVE": 24.0}, "3": {**figures, "LVE": 1.0}},
    }
    rows = ablation.table(results).splitlines()
    assert "+15 ± 7 %" in rows[3] and "| – |" in rows[2]
    assert len({row.count("|") for row in rows}) == 1


def test_what_is_there_is_not_computed_again(tmp_path, monkeypatch):
    calls = []

    def run_row(name, seed, *rest):
        calls.append((name, seed))
        return dict.fromkeys(ablation.METRICS, float(seed))

    monkeypatch.setattr(ablation, "run_row", run_row)
    arguments = ([], tmp_path / "out", None, None, ablation.Length(), lambda line: None)
    ablation.run_all(["paper"], [1], *arguments)
    results = ablation.run_all(["paper", "released"], [1, 2], *arguments)
    assert calls == [("paper", 1), ("released", 1), ("paper", 2), ("released", 2)]
    assert results["paper"]["2"]["LVE"] == 2


def test_rows_are_trained_and_measured(tmp_path):
    write_miniature(tmp_path / "data", ("W019", "M003", "M028", "W011"), clips=1)
    toy_flame.write_toy_flame(tmp_path / "toy.npz")
    flame, clips = load_flame(tmp_path / "toy.npz"), mead3d.read(tmp_path / "data")
    regions = Regions(lips=np.arange(50))
    names, length = ["paper", "sampling: spacing of the codes"], ablation.Length(2, 1)
    results = ablation.run_all(names, [1], clips, tmp_path / "out", flame, regions, length, lambda line: None)
    trained, sampled = (results[name]["1"] for name in names)
    assert list(trained) == list(ablation.METRICS) and np.isfinite(list(trained.values())).all()
    assert trained["LVE"] == pytest.approx(sampled["LVE"]), "the deterministic take does not depend on the sampling"
    assert trained["Diversity"] != sampled["Diversity"]
