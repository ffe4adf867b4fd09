"""The command `python -m server.training.evaluate`, with made-up scores."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

from server.model import LSFConfig
from server.training import evaluate
from server.training.evaluation.spread import Spread


@pytest.fixture
def command(monkeypatch, tmp_path):
    """command(*arguments) runs it on a made-up checkpoint and returns what it wrote as JSON."""
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    config = LSFConfig().to_json()
    (checkpoint / "config.json").write_text(config)
    (checkpoint / "model").write_bytes(bytes(10_000 - len(config)))
    model = SimpleNamespace(parameters=lambda: [torch.zeros(10)])
    monkeypatch.setattr(evaluate, "Runner", lambda *_: SimpleNamespace(model=model, run_seconds=1, audio_seconds=4))
    monkeypatch.setitem(evaluate.SCORES, "people", lambda runner, data: {"aperture_r": Spread(0.8, 0.6, 0.9, 6)})
    monkeypatch.setitem(evaluate.SCORES, "effort", lambda runner, data: {"all_lines_r": 0.5})

    def run(*arguments):
        path = tmp_path / "scores.json"
        words = ["evaluate", str(checkpoint), "--data", str(tmp_path), "--json", str(path), *arguments]
        monkeypatch.setattr(sys, "argv", words)
        evaluate.main()
        return json.loads(path.read_text())

    return run


def test_the_parts_asked_for_are_printed_and_written_with_their_spread(command, capsys):
    report = command("--only", "people", "effort", "vertices")  # the last one needs --work
    assert set(report) == {"people", "effort", "speed", "size"}
    assert report["people"]["aperture_r"] == {"value": 0.8, "low": 0.6, "high": 0.9, "count": 6}
    assert report["speed"]["real_time_factor"] == 0.25 and report["size"]["megabytes"] == 0.01
    assert "0.8 (0.6 to 0.9, n 6)" in capsys.readouterr().out


def test_ablate_prints_its_table_and_nothing_else(command, capsys, monkeypatch):
    monkeypatch.setattr(
        evaluate, "ablation_table", lambda runner, data: {"as shipped": {"r": Spread(0.8, 0.6, 0.9, 6)}}
    )
    report = command("--ablate")
    assert list(report) == ["as shipped"]
    assert "| as shipped | 0.800 (0.60–0.90) |" in capsys.readouterr().out
