"""A worker that lives longer than a run: what it has read for one run does not count in the next."""

import json
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("distributed", reason="the extra of farms is not installed")

from server.batch import runner
from server.batch.farm import driver, worker
from server.batch.manifest import words
from server.errors import LSFError
from server.face.head import load_head

KEYS = [[0, "Smirk", 1], [0.2, "happy", 1]]


class Client:
    """Has one worker, which is this process."""

    def submit(self, function, task, pure):
        future = Future()
        future.set_result(function(task))
        return future

    def nthreads(self):
        return {"worker": 1}


def bank(folder: Path, value: float) -> None:
    expressions = [{"name": "Smirk", "weights": {"mouthSmileLeft": value}}]
    write(folder / "bank.json", {"format": "lsf-expressions", "version": 1, "expressions": expressions})


def card(folder: Path, value: float) -> None:
    write(folder / "card.json", {"format": "lsf-style", "version": 1, "numbers": {"rest": {"smile": value}}})


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), "utf-8")


def sound(path: Path, pitch: float) -> None:
    times = np.arange(4800) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * times) * np.abs(np.sin(2 * np.pi * 3 * times)), 16000)


def character(path: Path, size: float) -> None:
    head = load_head()
    np.savez(path, vertices=size * head.vertices, faces=head.faces)


@pytest.fixture
def show(tmp_path) -> Path:
    """A manifest of three lines: a sound of its own; keys, a bank and a card; a character."""
    folder = tmp_path / "show"
    folder.mkdir()
    sound(folder / "a.wav", 120)
    sound(folder / "b.wav", 150)
    bank(folder, 0.8)
    card(folder, 0.1)
    write(folder / "keys.json", KEYS)
    character(folder / "head.npz", 1)
    (folder / "m.csv").write_text(
        "sound,id,emotion,bank,style,character\na.wav,sound,,,,\nb.wav,shown,keys.json,bank.json,card.json,\n"
        "b.wav,cast,,,,head.npz\n",
        "utf-8",
    )
    return folder


@pytest.fixture
def run(show, tmp_path, small_checkpoint):
    """Runs the batch on the worker; returns the names of the lines that were made."""
    worker._open.cache_clear()

    def rows() -> list[str]:
        path = tmp_path / "out/report.jsonl"
        return [json.loads(row)["line"] for row in path.read_text("utf-8").splitlines()] if path.exists() else []

    def call() -> list[str]:
        before = len(rows())
        runner.run(show / "m.csv", tmp_path / "out", (1, 1), str(small_checkpoint), "cpu", None, drive=drive)
        return sorted(rows()[before:])

    return call


def drive(job, read, lines, ending):
    return driver._drive(Client(), job, read, lines, ending)


def test_the_next_run_on_a_worker_makes_what_has_changed_and_nothing_else(run, show, tmp_path, small_checkpoint):
    assert run() == ["cast.npz", "shown.npz", "sound.npz"]
    assert run() == [], "the worker knows what was made"
    sound(show / "a.wav", 130)
    assert run() == ["sound.npz"]
    bank(show, 0.2)
    assert run() == ["shown.npz"]
    card(show, -0.1)
    assert run() == ["shown.npz"]
    write(show / "keys.json", [*KEYS[:1], [0.2, "angry", 1]])
    assert run() == ["shown.npz"]
    character(show / "head.npz", 100)
    assert run() == ["cast.npz"]
    runner.run(show / "m.csv", tmp_path / "new", (1, 1), str(small_checkpoint), "cpu", None)
    for name in ("cast.npz", "shown.npz", "sound.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "new" / name).read_bytes(), name


@pytest.mark.parametrize("what", ["bank", "card", "keys", "encoder"])
def test_a_worker_that_sees_other_files_or_another_encoder_is_refused(run, show, monkeypatch, what):
    if what == "encoder":
        manifest = (show / "m.csv").read_text("utf-8")
        (show / "m.csv").write_text(manifest + "a.wav,words,left brow up,,,\n", "utf-8")
    change = {
        "bank": lambda: bank(show, 0.2),
        "card": lambda: card(show, 0.2),
        "keys": lambda: write(show / "keys.json", KEYS[:1]),
        "encoder": lambda: monkeypatch.setattr(words, "is_installed", lambda: True),
    }[what]
    real = worker._open.__wrapped__

    def later(batch):
        change()
        return real(batch)

    monkeypatch.setattr(words, "is_installed", lambda: False)
    monkeypatch.setattr(worker, "_open", later)
    with pytest.raises(LSFError, match="others than those of the batch") as error:
        run()
    assert error.value.code == "version_mismatch" and str(error.value).startswith("A worker cannot go on: its banks")
