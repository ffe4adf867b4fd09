"""Pooling, variants, groups and intervals against numbers worked by hand; the printed table."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from server.training.paper.evaluation import summary as module
from server.training.paper.evaluation.predictions import Predictions
from server.training.paper.evaluation.regions import Regions
from server.training.paper.evaluation.summary import ClipScores, as_json, bootstrap, means, score_clip, summarise
from server.training.paper.evaluation.table import PAPER_TABLE, TABLE_METRICS, Settings, paper_text, run_text

PAPER = Settings("test", 10, 0.2, clips=940, all_clips=940, subjects=5, vertices=5023)


def clip(name, subject, emotion, frames, **figures):
    figures = figures | ({"FDD_absolute": abs(figures["FDD"])} if "FDD" in figures else {})
    return ClipScores(name, subject, emotion, frames, {"released": figures})


CLIPS = [
    clip("a", "W011", "0", 10, MVE=1.0, FDD=2.0),
    clip("b", "W011", "5", 30, MVE=5.0, FDD=-3.0),
    clip("c", "W014", "5", 60, MVE=2.0, FDD=-1.0),
]


def test_the_released_way_pools_frames_and_keeps_the_sign_of_fdd():
    found = summarise(CLIPS).released
    assert found["MVE"].value == pytest.approx((10 * 1 + 30 * 5 + 60 * 2) / 100)
    assert found["FDD"].value == pytest.approx((2 - 3 - 1) / 3), "FDD is a mean over clips"
    assert found["FDD_absolute"].value == pytest.approx((2 + 3 + 1) / 3)
    assert found["MVE"].clips == 3


def test_every_clip_alike_and_by_emotion_and_subject():
    found = summarise(CLIPS)
    assert found.per_clip["released"]["MVE"].value == pytest.approx(8 / 3)
    assert {e: (g["MVE"].value, g["MVE"].clips) for e, g in found.per_emotion.items()} == {"0": (1, 1), "5": (3.5, 2)}
    assert {s: g["FDD"].value for s, g in found.per_subject.items()} == {"W011": -0.5, "W014": -1}


def test_an_interval_resamples_people_before_their_clips():
    subjects = ["a"] * 10 + ["b"] * 10
    values = np.repeat([0.0, 1.0], 10)[:, None]
    low, high = bootstrap(values, np.ones_like(values), subjects, seed=0)
    assert (low[0], high[0]) == (0, 1), "a quarter of the draws has the one person twice, a quarter the other"
    low, high = bootstrap(values, np.ones_like(values), [str(i) for i in range(20)], seed=0)
    assert 0.2 < low[0] < 0.4 and 0.6 < high[0] < 0.8, "twenty people: a binomial of 20 with p = 0.5"


def test_an_interval_resamples_the_clips_of_one_person_and_weighs_them():
    values = np.array([[0.0, 7.0], [1.0, 7.0]])
    low, high = bootstrap(values, np.array([[3.0, 1.0], [1.0, 5.0]]), ["a", "a"], seed=1)
    np.testing.assert_allclose([low, high], [[0, 7], [1, 7]])
    draws = [
        bootstrap(values, np.array([[3.0, 1.0], [1.0, 1.0]]), ["a", "a"], seed, draws=1)[0][0] for seed in range(60)
    ]
    assert set(np.round(draws, 6)) == {0, 0.25, 1}, "one of each: (3 · 0 + 1 · 1) / 4"


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng, covered, runs = np.random.default_rng(0), 0, 60
    for _ in range(runs):
        people = np.repeat(rng.standard_normal(12), 6)
        values = (people + 0.5 * rng.standard_normal(72))[:, None]
        low, high = bootstrap(values, np.ones_like(values), [str(i // 6) for i in range(72)], 0, draws=200)
        covered += low[0] <= 0 <= high[0]
    assert covered / runs > 0.8


class Layer:
    """A mesh of two vertices on which a shape scales everything: size 1 + s, offset e along Z and j along Y."""

    template = torch.tensor([[1.0, 0, 0], [2.0, 0, 0]])

    def vertices(self, shape, expression, jaw):
        offset = torch.stack([jaw[:, :1] * 0, jaw[:, :1], expression[:, :1]], -1)  # (b, 1, 3)
        return (1 + shape[:, :1, None]) * (self.template + offset)


def motion(expression):
    """Motion (F, 53) of a first coefficient."""
    values = torch.zeros(len(expression), 53)
    values[:, 0] = torch.tensor(expression)
    return values


def scored(samples=2):
    truth = motion([1.0, 2.0, 3.0])
    predictions = Predictions(
        samples=torch.stack([motion([2.0, 2.0, 3.0]), motion([0.0, 2.0, 3.0])])[:samples],
        deterministic=motion([1.0, 2.0, 6.0]),
        average_identity=motion([1.0, 5.0, 3.0]),
    )
    shape = np.zeros(300, np.float32)
    shape[0] = 1  # twice as large
    source = SimpleNamespace(
        name="W011_001_5_2", subject="W011", emotion="5", curves=lambda: truth.numpy(), shape=lambda: shape
    )
    regions = Regions(np.array([0, 1]), np.array([1]))
    return score_clip(source, predictions, Layer(), regions, np.random.default_rng(0))


def test_variants_differ_in_the_take_and_in_the_head():
    found = scored()
    assert found.frames == 3 and list(found.variants) == list(module.VARIANTS)
    released, kept = found.variants["released"], found.variants["identity_kept"]
    # The first sample is wrong by 1 in one of three frames, and the mean of both samples is right.
    assert released == pytest.approx(
        {
            "MVE": 1 / 3,
            "LVE": 1 / 3,
            "FDD": np.std([1, 4, 9]) - np.std([4, 4, 9]),
            "FDD_absolute": abs(np.std([1, 4, 9]) - np.std([4, 4, 9])),
            "MEE": 0,
            "CE": 1 / 3,
            "Diversity": 2 / 3,
        }
    )
    # On a head of twice the size, distances are twice as large, and squares four times.
    for metric, value in released.items():
        assert kept[metric] == pytest.approx((2 if metric in ("MVE", "Diversity") else 4) * value)
    assert found.variants["deterministic"]["MVE"] == pytest.approx(3 / 3)
    assert found.variants["deterministic_identity_kept"]["LVE"] == pytest.approx(4 * 9 / 3)
    assert found.variants["average_identity"]["LVE"] == pytest.approx(9 / 3)
    assert found.variants["still"]["MVE"] == pytest.approx((1 + 2 + 3) / 3)
    assert found.variants["still"]["FDD"] == pytest.approx(np.std([1, 4, 9]))


def test_without_samples_the_deterministic_take_is_grouped():
    found = scored(samples=0)
    assert "released" not in found.variants and "MEE" not in found.variants["deterministic"]
    summary = summarise([found])
    assert summary.grouped == "deterministic" and summary.released == {}
    assert summary.per_emotion["5"]["MVE"].value == pytest.approx(1)
    assert "this run" in paper_text(summary, Regions(), PAPER)


def test_everything_is_written_as_json():
    scores = [scored()]
    text = json.dumps(as_json(summarise(scores), scores, {"samples": 2}))
    read = json.loads(text)
    assert read["settings"] == {"samples": 2}
    assert read["released"]["MVE"] == {
        "value": pytest.approx(1 / 3),
        "low": pytest.approx(1 / 3),
        "high": pytest.approx(1 / 3),
        "clips": 1,
    }
    assert read["clips"][0]["variants"]["still"]["MVE"] == pytest.approx(2)
    assert set(read["variants"]) == set(module.VARIANTS)


def test_figures_are_printed_in_the_units_of_the_paper():
    clips = [
        clip(
            "a", "W011", "0", 3, MVE=1.2244e-3, LVE=1.0985e-5, FDD=-4.724e-6, MEE=1e-5, CE=9.225e-6, Diversity=4.223e-4
        )
    ]
    summary = summarise(clips)
    lines = paper_text(summary, Regions(), PAPER).splitlines()
    rows = {
        name: line.split() for line in lines for name in (*PAPER_TABLE, "this run") if line.startswith(f"  {name}  ")
    }
    assert rows["this run"][2:] == ["1.2244", "1.0985", "-0.4724", "1.0000", "0.9225", "0.4223"]
    assert rows["LSF-Animation"][1:] == [f"{v:.4f}" for v in PAPER_TABLE["LSF-Animation"]]
    assert rows["FaceFormer"][1:] == ["2.6139", "2.3471", "1.6145", "–", "–", "–"]
    assert all(len(values) == len(TABLE_METRICS) for values in PAPER_TABLE.values())
    text = run_text(summary)
    assert "MVE              1.2244  [1.2244, 1.2244]  10⁻³ m" in text


def test_the_table_says_when_regions_are_others_than_the_papers():
    summary = summarise(CLIPS)
    assert "cannot be compared" in paper_text(summary, Regions(np.arange(10), None), PAPER)
    assert "cannot be compared" not in paper_text(summary, Regions(np.arange(428), np.arange(1501)), PAPER)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"part": "valid"}, 'of the part "valid"; those of the paper of "test"'),
        ({"samples": 3}, "has 3 random takes of a clip; the paper 10"),
        ({"temperature": 1.0}, "the temperature 1; those of the paper 0.2"),
        ({"clips": 20}, "Only 20 of the 940 clips"),
        ({"vertices": 4719}, "The mesh has 4719 vertices; FLAME has 5023"),
    ],
)
def test_the_table_has_one_note_for_each_setting_that_differs(change, note):
    regions = Regions(np.arange(428), np.arange(1501))
    own = paper_text(summarise(CLIPS), regions, PAPER).splitlines()
    changed = paper_text(summarise(CLIPS), regions, dataclasses.replace(PAPER, **change)).splitlines()
    (added,) = set(changed) - set(own)
    assert note in added and len(changed) == len(own) + 1


def test_means_name_only_metrics_that_were_measured():
    assert list(means(CLIPS, "released", 0)) == ["MVE", "FDD", "FDD_absolute"]
