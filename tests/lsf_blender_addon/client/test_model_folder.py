"""A folder that the artist chooses as a model: what is wrong with it is said before anything is started."""

import json
import os
import struct
import time

import pytest

from lsf_blender_addon.client import model_folder
from lsf_blender_addon.client.model_folder import ModelError, read

ARKIT = {"motion_space": "arkit", "emotion_bank": True, "motion_backbone": {"kind": "whisper"}}
FLAME = {
    "motion_space": "flame",
    "emotion_bank": False,
    "motion_backbone": {"kind": "hubert"},
    "emotion_backbone": {"kind": "emotion2vec"},
}


def write(folder, config, weights=None, face=True):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    header = json.dumps({"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    whole = struct.pack("<Q", len(header)) + header.encode() + bytes(8)
    (folder / "model.safetensors").write_bytes(whole if weights is None else weights(whole))
    if face:
        (folder / "face.safetensors").write_bytes(b"")
    return folder


def refusal(folder) -> str:
    with pytest.raises(ModelError) as error:
        read(folder)
    assert not error.value.sentence.endswith(".") and ": " in error.value.sentence
    assert str(error.value) == error.value.sentence.format(**error.value.values)
    return str(error.value)


def test_models_are_described(tmp_path):
    own = read(write(tmp_path / "own run Ω", ARKIT, face=False))
    assert (own.name, own.has_emotions, own.needs_transformers) == ("own run Ω", True, False)
    paper = read(write(tmp_path / "paper", FLAME))
    assert (paper.name, paper.has_emotions, paper.needs_transformers) == ("paper", False, True)
    only_ours = read(write(tmp_path / "ours", FLAME | {"motion_backbone": {"kind": "emotion2vec"}}))
    assert not only_ours.needs_transformers


def test_what_is_no_model_is_said(tmp_path):
    assert "There is no model folder" in refusal(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    assert "There is no model folder" in refusal(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert "holds no model, as it has no config.json" in refusal(tmp_path / "empty")
    folder = write(tmp_path / "half", ARKIT)
    (folder / "model.safetensors").unlink()
    assert "it has no model.safetensors" in refusal(folder)
    assert "face.safetensors" in refusal(write(tmp_path / "flame", FLAME, face=False))
    write(tmp_path / "flame", FLAME, face=True)
    assert read(tmp_path / "flame").name == "flame", "what was missing is there now"


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b'{"motion_space": "audio"}', b"[" * 60_000, b'"\xff"', b"null"])
def test_a_damaged_configuration_is_said(tmp_path, config):
    folder = write(tmp_path / "model", ARKIT)
    (folder / "config.json").write_bytes(config)
    assert "is damaged (config.json)" in refusal(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:7],
        lambda whole: whole[:-1],
        lambda whole: whole + b"x",
        lambda whole: struct.pack("<Q", 2**63) + whole[8:],
        lambda whole: struct.pack("<Q", 3) + whole[8:],
        lambda whole: struct.pack("<Q", 2) + b"[]",
        lambda whole: whole.replace(b"[0, 8]", b"[0,[]]"),
        lambda whole: whole.replace(b"[0, 8]", b"[1e9999]"[:6]),
    ],
)
def test_damaged_weights_are_said(tmp_path, damage):
    assert "is damaged (model.safetensors)" in refusal(write(tmp_path / "model", ARKIT, damage))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_no_file(tmp_path):
    folder = write(tmp_path / "model", ARKIT)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert "it has no config.json" in refusal(folder), "opening it would wait for ever"


def test_files_are_read_again_only_when_they_change(tmp_path, monkeypatch):
    folder = write(tmp_path / "model", ARKIT)
    read(folder)
    monkeypatch.setattr(model_folder, "_read_config", lambda folder: pytest.fail("it was read again"))
    for _ in range(100):  # the preferences draw at each move of the mouse
        read(folder)
    monkeypatch.undo()
    write(folder, {**ARKIT, "emotion_bank": False})
    later = time.time() + 5
    os.utime(folder / "config.json", (later, later))
    assert not read(folder).has_emotions
