"""Several processes compute what one does, end, and are continued after one was killed. They communicate by gloo."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from server.errors import LSFError
from server.model import LSFConfig
from server.training.paper.distributed import ALONE, current_group, derived_seed, own_device

from .toy import ToyClips, toy_trainer, train_both_stages, weights

HERE = Path(__file__).parent
PATIENCE = 300  # seconds; a busy machine is slow, a process that hangs does not end


def start(job, folder, size=2):
    """Start the processes of a job of rank.py."""
    folder.mkdir(exist_ok=True)
    (folder / f"store_{size}").unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[3]), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(HERE / "rank.py"), job, str(rank), str(size), str(folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=(folder / f"errors_{rank}.txt").open("w"),
        )
        for rank in range(size)
    ]


def finish(processes, folder):
    """Wait for the processes and return what the first one saved."""
    try:
        for rank, process in enumerate(processes):
            assert process.wait(PATIENCE) == 0, (folder / f"errors_{rank}.txt").read_text()[-2000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return torch.load(folder / "result.pt", weights_only=True)


@pytest.mark.parametrize(("name", "accumulate"), [("paper", 1), ("released", 3)])
def test_two_processes_train_both_stages_as_one_does(tmp_path, name, accumulate):
    # In the last step of each epoch, the second process has no clips.
    processes = start(name, tmp_path / "two")
    one = train_both_stages(tmp_path / "one", getattr(LSFConfig, name)(), accumulate=accumulate)
    two = finish(processes, tmp_path / "two")
    for key, value in one.items():
        assert (two[key] - value).abs().max() < 1e-6, key


def test_a_training_of_which_a_process_was_killed_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    folder = tmp_path / "two"
    folder.mkdir()
    (folder / "wait").touch()
    processes = start("killed", folder)
    deadline = time.monotonic() + PATIENCE
    while not (folder / "waiting").exists():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.05)
    processes[1].kill()
    for process in processes:  # the first one notices, or is ended as torchrun would
        process.kill()
        process.wait(PATIENCE)
    assert (folder / "toy/last.safetensors").exists() and not (folder / "result.pt").exists()
    (folder / "wait").unlink()
    two = finish(start("killed", folder), folder)
    one = toy_trainer(tmp_path / "one", train=ToyClips(11), epochs=3)
    one.run()
    assert (two["weights"] - weights(one.task)).abs().max() < 1e-12


def test_one_process_is_alone_and_seeds_are_fixed():
    assert current_group() == ALONE and ALONE.first
    assert derived_seed(1, "prior", 2) == derived_seed(1, "prior", 2) != derived_seed(1, "prior", 3)
    assert 0 <= derived_seed(1) < 1 << 63


@pytest.mark.parametrize(
    ("requested", "sentence"),
    [("gpu", 'no device "gpu"'), ("mps", '"mps" was not tried'), ("cuda", "no CUDA device here: use --device cpu")],
)
def test_a_device_that_is_not_there_is_told(requested, sentence, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LSFError, match=sentence):
        own_device(requested)
    assert own_device("auto") == own_device("cpu") == torch.device("cpu")


def test_each_process_gets_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("auto") == torch.device("cuda", 0) and own_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(LSFError, match="There are 2 CUDA devices"):
        own_device("cuda:2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device("auto") == torch.device("cuda", 1)
    with pytest.raises(LSFError, match="cannot share cuda:0"):
        own_device("cuda:0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(LSFError, match="at most one process for each"):
        own_device("cuda")
