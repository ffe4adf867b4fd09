"""The command of the study of the fusion blocks."""

import sys

import pytest
import torch

from server.model import LSF, LSFConfig
from server.training import fusion_study
from server.training.paper.miniature import write_miniature
from server.training.paper.small import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The miniature's test subject, and two checkpoints."""
    folder = tmp_path_factory.mktemp("study")
    write_miniature(folder / "data", ("W011",), clips=2)
    for seed in range(2):
        torch.manual_seed(seed)
        LSF(small(LSFConfig.paper())).save_pretrained(folder / f"model{seed}", half=False)
    return folder


def run(monkeypatch, capsys, *arguments):
    """Exit code, what is printed, and errors."""
    monkeypatch.setattr(sys, "argv", ["fusion_study", *map(str, arguments)])
    return fusion_study.main(), *capsys.readouterr()


def test_equal_prints_both_tables(monkeypatch, capsys):
    code, printed, _ = run(monkeypatch, capsys, "equal")
    assert code == 0 and printed.count("| float64 |") == 3 and "| only pairs up to 12 frames apart |" in printed


@pytest.mark.parametrize(
    ("command", "row"),
    [("attention", "| evenness, motion |"), ("tokens", "| tokens removed |"), ("windows", "| decoder: norm |")],
)
def test_tables_of_checkpoints_have_means_and_deviations(command, row, folder, monkeypatch, capsys):
    checkpoints = [folder / "model0", folder / "model1"]
    seconds = ["--seconds", 0.4] if command == "windows" else []
    code, printed, errors = run(monkeypatch, capsys, command, *checkpoints, "--data", folder / "data", *seconds)
    assert code == 0 and not errors
    assert "±" in next(line for line in printed.splitlines() if line.startswith(row))


def test_what_cannot_be_studied_is_one_sentence(folder, small_checkpoint, monkeypatch, capsys):
    code, printed, errors = run(monkeypatch, capsys, "tokens", small_checkpoint, "--data", folder / "data")
    assert code == 1 and not printed and "ARKit" in errors and errors.count("\n") == 1
    code, _, errors = run(monkeypatch, capsys, "tokens", folder / "model0", "--data", folder / "nothing")
    assert code == 1 and errors.count("\n") == 1
