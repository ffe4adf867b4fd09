"""The command on the miniature and a toy FLAME: figures, table and JSON; one sentence for what is missing."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import soundfile
import torch

from server.errors import LSFError
from server.model import LSF, LSFConfig
from server.training import evaluate, evaluate_paper
from server.training.paper.evaluation.predictions import Predictions, Predictor
from server.training.paper.mead3d import read
from server.training.paper.miniature import write_miniature
from server.training.paper.toy_flame import write_toy_flame

from .paper.tiny import tiny


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate_paper")
    torch.manual_seed(0)
    LSF(tiny(LSFConfig.paper())).eval().save_pretrained(folder / "checkpoint")
    write_miniature(folder / "data", ("W011", "W014"), clips=2)
    write_toy_flame(folder / "flame.npz")
    np.save(folder / "lips.npy", np.arange(100, 140))
    (folder / "upper.json").write_text(json.dumps(list(range(200, 260))))
    return folder


def arguments(files, **changes):
    options = {"data": files / "data", "flame": files / "flame.npz", "samples": 2, "device": "cpu"} | changes
    checkpoint = options.pop("checkpoint", files / "checkpoint")
    return [str(checkpoint), *(f"--{name}={value}" for name, value in options.items())]


def refusal(files, **changes):
    with pytest.raises(SystemExit) as caught:
        evaluate_paper.main(arguments(files, **changes))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_prints_its_figures_beside_the_papers_and_writes_all(files, tmp_path, capsys):
    out = tmp_path / "figures.json"
    regions = {"lips": files / "lips.npy", "upper": files / "upper.json"}
    evaluate_paper.main([*arguments(files, **regions, json=out), "--table"])
    text = capsys.readouterr()
    assert "Released definitions" in text.out and "LSF-Animation" in text.out and "this run" in text.out
    assert "The mesh has 47" in text.out and "has 2 random takes" in text.out and "Only" not in text.out
    assert "4 of 4: W014_002_1_1" in text.err and "not measured" not in text.err
    report = json.loads(out.read_text("utf-8"))
    assert report["settings"]["lip_vertices"] == 40 and report["settings"]["samples"] == 2
    assert set(report["per_subject"]) == {"W011", "W014"} and len(report["clips"]) == 4
    assert set(report["released"]) == {"MVE", "LVE", "FDD", "FDD_absolute", "MEE", "CE", "Diversity"}
    for clip in report["clips"]:
        assert clip["variants"]["released"]["CE"] <= clip["variants"]["released"]["LVE"]
    frames = np.array([clip["frames"] for clip in report["clips"]])
    errors = np.array([clip["variants"]["released"]["MVE"] for clip in report["clips"]])
    assert report["released"]["MVE"]["value"] == pytest.approx((frames * errors).sum() / frames.sum())


def test_the_same_seed_gives_the_same_figures_and_fewer_clips_are_spread(files, tmp_path, capsys):
    reports = []
    for seed in (3, 3, 4):
        evaluate_paper.main(arguments(files, seed=seed, clips=2, json=tmp_path / "a.json"))
        reports.append(json.loads((tmp_path / "a.json").read_text("utf-8"))["clips"])
    assert reports[0] == reports[1] != reports[2]
    assert [clip["name"] for clip in reports[0]] == ["W011_001_0_0", "W014_002_1_1"]
    assert "LVE, MEE and CE are not measured: --lips" in capsys.readouterr().err


def test_the_figures_of_a_clip_do_not_depend_on_other_clips(files, tmp_path, capsys):
    reports = []
    for clips in (2, 4):
        evaluate_paper.main(arguments(files, clips=clips, samples=7, json=tmp_path / "a.json"))
        reports.append({clip["name"]: clip for clip in json.loads((tmp_path / "a.json").read_text("utf-8"))["clips"]})
    assert len(reports[0]) == 2 and all(reports[1][name] == clip for name, clip in reports[0].items())
    assert 'Subjects of the protocol "subjects" that have clips: 2 of 5 in "test".' in capsys.readouterr().err


def test_a_network_that_repeats_the_truth_scores_nothing(files, tmp_path, monkeypatch, capsys):
    """The path from the data to the figures adds no error of its own."""

    def truth(self, clip):
        motion = torch.from_numpy(clip.curves())
        return Predictions(torch.stack([motion] * self.samples), motion, motion)

    monkeypatch.setattr(Predictor, "predict", truth)
    evaluate_paper.main(arguments(files, lips=files / "lips.npy", upper=files / "upper.json", json=tmp_path / "a.json"))
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    for name, group in report["per_clip"].items():
        for metric, interval in group.items():
            assert (interval["value"] == 0) == (name != "still"), (name, metric)


@pytest.mark.parametrize("config", [LSFConfig.paper, LSFConfig.released])
def test_samples_differ_and_the_identity_is_heard(files, config):
    torch.manual_seed(0)
    model = LSF(tiny(config())).eval()
    with torch.no_grad():
        for project in model.sie_encoder.identity.project:
            project.weight.normal_(1, 3)
    clip = read(files / "data")[0]
    found = Predictor(model, 3, 1.0, 0).predict(clip)
    assert found.samples.shape == (3, clip.frames, 53) and found.deterministic.shape == (clip.frames, 53)
    assert not torch.equal(found.samples[0], found.samples[1])
    assert not torch.equal(found.deterministic, found.average_identity)
    assert torch.equal(Predictor(model, 1, 1.0, 0).predict(clip).samples[0], found.samples[0])
    other = Predictor(model, 3, 1.0, 1).predict(clip).samples
    assert not any(torch.equal(take, mine) for take in other for mine in found.samples), "another seed, other takes"
    for value in (torch.nan, 1e31):
        with torch.no_grad():
            model.prior.out.weight[0] = value
        with pytest.raises(LSFError, match=clip.name):
            Predictor(model, 1, 1.0, 0).predict(clip)


def test_what_is_missing_is_one_sentence_before_the_network_is_built(files, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_paper, "load_on_device", None)
    assert "folder of a checkpoint" in refusal(files, checkpoint=tmp_path)
    assert "no folder" in refusal(files, data=tmp_path / "nowhere")
    assert "no motions" in refusal(files, data=tmp_path)
    assert "flame" in refusal(files, flame=tmp_path / "flame.npz")
    assert "no file" in refusal(files, lips=tmp_path / "lips.npy")
    (tmp_path / "upper.json").write_text("[5023]")
    assert "5023" in refusal(files, upper=tmp_path / "upper.json")
    assert '"valid"' in refusal(files, part="valid")
    assert "cannot be written" in refusal(files, json=tmp_path / "nowhere" / "a.json")
    assert "cannot be written" in refusal(files, json=tmp_path)
    assert "--temperature" in refusal(files, temperature=0)
    shutil.copytree(files / "data", tmp_path / "data")
    values = np.load(tmp_path / "data" / "param" / "W014_001_0_0.npy")
    values[0, 3, 301] = np.nan
    np.save(tmp_path / "data" / "param" / "W014_001_0_0.npy", values)
    assert "frame 3" in refusal(files, data=tmp_path / "data")
    sound = tmp_path / "data" / "wav" / "W011_001_0_0.wav"
    soundfile.write(sound, np.zeros(5 * 16000), 16000)
    assert "they may differ by 0.5 s" in refusal(files, data=tmp_path / "data")
    assert "frame 3" in refusal(files, **{"data": tmp_path / "data", "length-tolerance": 9})


def test_a_network_of_other_data_is_refused(files, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_paper, "load_on_device", None)
    config = tiny(LSFConfig.paper())
    for change, sentence in (
        ({"fps": 50, "frame_stack": 1}, "50 fps"),
        ({"identity_size": 400}, "400 shape coefficients"),
    ):
        (tmp_path / "config.json").write_text(dataclasses.replace(config, **change).to_json())
        assert sentence in refusal(files, checkpoint=tmp_path)
    (tmp_path / "config.json").write_text(config.to_json().replace('"jawX"', '"jawW"'))
    assert "jawX" in refusal(files, checkpoint=tmp_path)
    for content in (b"\xff\xfe{}", b"[" * 100_000):
        (tmp_path / "config.json").write_bytes(content)
        assert "cannot be read as a config.json" in refusal(files, checkpoint=tmp_path)
    monkeypatch.setattr("sys.argv", ["evaluate", str(tmp_path), "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="cannot be read as a config"):
        evaluate.main()


def test_each_evaluation_names_the_other(files, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(LSFConfig().to_json())
    assert "server.training.evaluate." in refusal(files, checkpoint=tmp_path)
    monkeypatch.setattr("sys.argv", ["evaluate", str(files / "checkpoint"), "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"server\.training\.evaluate_paper"):
        evaluate.main()
