"""Files of encoders are read without running what is in them, and before their numbers are."""

import collections
import contextlib
import enum
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from server.errors import LSFError
from server.training.paper.published import open_published


def refused(path: Path) -> str:
    with pytest.raises(LSFError) as raised:
        open_published(path)
    assert raised.value.code == "bad_backbone"
    return str(raised.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("key", ["", "model", "state_dict"])
def test_a_pickle_of_torch_gives_names_shapes_and_numbers(tmp_path, zipped, key):
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4), "_ema": {"c": torch.ones(2)}, "step": 3}
    path = tmp_path / "encoder.pt"
    torch.save({key: state, "epoch": 7} if key else state, path, _use_new_zipfile_serialization=zipped)
    file = open_published(path)
    assert file.shapes == {"a.weight": (2, 3), "b": (4,)}
    assert file.settings == {} and file.path == path
    assert torch.equal(file.read("a.weight"), state["a.weight"])


def test_safetensors_beside_a_config(tmp_path):
    save_file({"a": torch.ones(2, 3)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}')
    for path in (tmp_path, tmp_path / "model.safetensors"):
        file = open_published(path)
        assert file.shapes == {"a": (2, 3)} and file.settings == {"model_type": "hubert"}
        assert torch.equal(file.read("a"), torch.ones(2, 3))


class _Settings:
    def __init__(self, value):
        self.value = value


def test_classes_of_other_programs_are_ignored_and_never_made(tmp_path):
    """fairseq keeps settings in its own classes beside the weights."""
    module = types.ModuleType("somewhere_else")
    modality = enum.Enum("Modality", {"AUDIO": 1}, module="somewhere_else")
    settings = type("Settings", (_Settings,), {"__module__": "somewhere_else"})
    module.Modality, module.Settings = modality, settings
    sys.modules["somewhere_else"] = module
    try:
        torch.save(
            {"cfg": {"type": modality.AUDIO, "all": settings(3)}, "args": None, "model": {"w": torch.ones(2)}},
            tmp_path / "emotion2vec_base.pt",
        )
    finally:
        del sys.modules["somewhere_else"]
    file = open_published(tmp_path)
    assert file.shapes == {"w": (2,)} and "somewhere_else" not in sys.modules


class _Entries(dict):
    pass


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "value",
    [collections.defaultdict(list, a=[1]), collections.deque([1]), _Entries(a=1)],
    ids=lambda value: type(value),
)
def test_containers_of_other_classes_are_told_as_the_cause(tmp_path, value, zipped):
    path = tmp_path / "encoder.pt"
    torch.save({"model": {"w": torch.ones(2)}, "cfg": value}, path, _use_new_zipfile_serialization=zipped)
    sentence = refused(path)
    assert "objects that torch does not read, since they could run programs (" in sentence
    assert f"{type(value).__module__}.{type(value).__name__}" in sentence
    assert "state_dict" in sentence and "damaged" not in sentence


def test_an_entry_without_weights_is_passed_over(tmp_path):
    torch.save({"model": {"name": "lsf"}, "state_dict": {"w": torch.ones(2)}}, tmp_path / "a.pt")
    assert open_published(tmp_path / "a.pt").shapes == {"w": (2,)}


class _Attack:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("call", [os.system, os.mkdir, exec, eval, print, pickle.loads])
def test_a_file_runs_nothing(tmp_path, call, zipped, capsys):
    made = tmp_path / "made"
    text = {
        os.system: f"touch {made}",
        os.mkdir: str(made),
        pickle.loads: pickle.dumps(_Attack((os.mkdir, (str(made),)))),
    }
    argument = text.get(call, f"print('run'); __import__('os').mkdir({str(made)!r})")
    path = tmp_path / "pytorch_model.bin"
    torch.save({"w": torch.ones(2), "x": _Attack((call, (argument,)))}, path, _use_new_zipfile_serialization=zipped)
    with contextlib.suppress(LSFError):  # a sentence, or what it names is ignored
        assert open_published(path).shapes == {"w": (2,)}
    assert not made.exists() and capsys.readouterr().out == ""


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path):
    assert "no folder or file" in refused(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "holds no weights" in refused(tmp_path / "empty")
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "model.safetensors.index.json").write_text("{}")
    assert "several files" in refused(tmp_path / "split")

    whole = tmp_path / "whole.pt"
    torch.save({"w": torch.arange(1000.0)}, whole)
    content = whole.read_bytes()
    for name, damaged in {
        "cut.pt": content[: len(content) // 2],
        "text.pt": b"<html>not found</html>",
        "none.pt": b"",
        "cut.safetensors": b"\x40\x00\x00\x00\x00\x00\x00\x00{}",
        "long.safetensors": b"\xff" * 64,
        "none.safetensors": b"",
    }.items():
        (tmp_path / name).write_bytes(damaged)
        assert "ownload it again" in refused(tmp_path / name)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100000, '{"a": "' + "x" * (1 << 21) + '"}'])
def test_a_config_that_is_none_is_refused(tmp_path, text):
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    assert "config.json" in refused(tmp_path)


def test_contents_larger_than_the_file_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "bomb.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (1 << 24))
    assert path.stat().st_size < 1 << 20
    assert "larger than the file" in refused(path)
