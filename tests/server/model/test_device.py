"""Which device runs the network, with and without a GPU that works. No GPU is needed: torch's answers are replaced."""

import pytest
import torch

from server.errors import LSFError
from server.model import LSF, device


@pytest.fixture
def folder(make, tmp_path):
    make().save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def moved(monkeypatch):
    """The devices to which a model was moved; the move itself does nothing."""
    names = []
    monkeypatch.setattr(LSF, "to", lambda model, name: names.append(name) or model)
    return names


def gpus(monkeypatch, *, cuda: bool = False, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def refuse(monkeypatch, sentence: str) -> None:
    def to(model, name):
        raise RuntimeError(sentence)

    monkeypatch.setattr(LSF, "to", to)


@pytest.mark.parametrize(
    ("requested", "cuda", "mps", "used"),
    [
        ("cpu", True, True, "cpu"),
        ("auto", False, False, "cpu"),
        ("auto", True, True, "cuda"),
        ("auto", False, True, "mps"),
        ("gpu", True, True, "cuda"),
        ("gpu", False, True, "mps"),
        ("cuda:1", True, False, "cuda:1"),
        ("mps", False, True, "mps"),
    ],
)
def test_the_device_that_is_asked_for_or_the_best_one(monkeypatch, folder, moved, requested, cuda, mps, used):
    gpus(monkeypatch, cuda=cuda, mps=mps)
    model, name, note = device.load_on_device(folder, requested)
    assert (name, note) == (used, "") and not model.training
    assert moved == ([] if used == "cpu" else [used])


@pytest.mark.parametrize("requested", ["gpu", "cuda", "cuda:0", "mps", "toaster", ""])
def test_a_device_that_is_not_there_is_a_sentence(monkeypatch, folder, requested):
    gpus(monkeypatch)
    with pytest.raises(LSFError) as raised:
        device.load_on_device(folder, requested)
    assert raised.value.code == "no_device" and str(raised.value).endswith(".")


def test_auto_falls_back_to_the_cpu_and_says_so(monkeypatch, folder):
    gpus(monkeypatch, cuda=True)
    refuse(monkeypatch, "CUDA error: no kernel image is available\nfor execution on the device")
    model, name, note = device.load_on_device(folder, "auto")
    assert name == "cpu" and next(model.parameters()).device.type == "cpu"
    assert "no kernel image" in note and note.endswith(".") and "\n" not in note


def test_auto_falls_back_if_the_model_moves_but_does_not_run(monkeypatch, folder, moved):
    def fail(model, audio):
        raise TypeError("Cannot convert a MPS Tensor to float64")

    gpus(monkeypatch, mps=True)
    monkeypatch.setattr(device, "synthesize", fail)
    _, name, note = device.load_on_device(folder, "auto")
    assert moved == ["mps"] and name == "cpu" and "float64" in note


def test_a_gpu_that_was_asked_for_and_does_not_work_is_an_error(monkeypatch, folder):
    gpus(monkeypatch, cuda=True)
    refuse(monkeypatch, "CUDA error: out of memory")
    for requested in ("gpu", "cuda"):
        with pytest.raises(LSFError, match="out of memory") as raised:
            device.load_on_device(folder, requested)
        assert raised.value.code == "no_device"


def test_a_damaged_checkpoint_is_no_fault_of_the_gpu(monkeypatch, folder, moved):
    gpus(monkeypatch, cuda=True)
    (folder / "model.safetensors").unlink()
    with pytest.raises(LSFError) as raised:
        device.load_on_device(folder, "auto")
    assert raised.value.code == "bad_checkpoint" and not moved
